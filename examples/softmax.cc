// The softmax family without a model: distributions, distances and draws of one row of logits.
#include <cstdio>
#include <partita/softmax.hpp>
#include <span>
#include <vector>

using Row = std::vector<float>;

int complain(const partita::Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

void print(const char* what, const Row& values) {
  std::printf("%-14s", what);
  for (const float x : values) std::printf("%8.4f", static_cast<double>(x));
  std::printf("\n");
}

void print(const char* what, double value) { std::printf("%-14s%8.4f\n", what, value); }

/// Distributions over all ids: dense, and sparse with probabilities of 0.
partita::Result<void> distributions(const Row& logits) {
  Row p(logits.size());
  if (auto done = partita::softmax(logits, p); !done) return done;
  print("softmax", p);
  if (auto done = partita::log_softmax(logits, p); !done) return done;
  print("its logarithm", p);
  const auto some = partita::entmax(logits, 1.5, p);
  if (!some) return some.error();
  print("1.5-entmax", p);
  const auto fewer = partita::sparsemax(logits, p);
  if (!fewer) return fewer.error();
  print("sparsemax", p);
  std::printf("words left    %8zu of 1.5-entmax, %zu of sparsemax\n", some->size, fewer->size);
  const auto best = partita::argmax(logits);
  if (!best) return best.error();
  std::printf("likeliest     %8d\n", static_cast<int>(*best));
  return {};
}

/// Online softmax: a row in two parts, as two workers would read it, merged.
partita::Result<void> in_parts(const Row& logits) {
  const std::span<const float> row = logits;
  partita::OnlineSoftmax left, right;
  if (auto done = left.add(row.first(2)); !done) return done;
  if (auto done = right.add(row.subspan(2)); !done) return done;
  left.merge(right);
  const auto whole = partita::log_sum_exp(logits);
  if (!whole) return whole.error();
  print("log-sum-exp", *whole);
  print("in two parts", left.log_sum_exp());
  return {};
}

/// Entropy of a row, its loss for a target, and its KL divergence from another row.
partita::Result<void> distances(const Row& logits, const Row& other) {
  constexpr int kTarget = 1;
  Row gradient(logits.size());
  const auto entropy = partita::entropy(logits);
  const auto divergence = partita::kl_divergence(logits, other);
  const auto loss = partita::cross_entropy(logits, kTarget);
  const auto same_loss = partita::cross_entropy_gradient(logits, kTarget, gradient);
  for (const auto* result : {&entropy, &divergence, &loss, &same_loss}) {
    if (!*result) return result->error();
  }
  print("entropy", *entropy);
  print("KL divergence", *divergence);
  print("cross-entropy", *loss);
  print("its gradient", gradient);
  return {};
}

/// Gumbel-max draws: the argmax of logit plus noise. A draw depends on its key alone.
partita::Result<void> draws(const Row& logits) {
  const partita::DrawKey first = {.seed = 1};
  Row noise;
  for (int id = 0; id < 4; ++id) noise.push_back(static_cast<float>(partita::gumbel_noise(first, id)));
  print("first noise", noise);
  std::vector<int> drawn(logits.size());
  for (std::uint64_t i = 0; i < 10000; ++i) {
    const auto id = partita::gumbel_max(logits, {.seed = 1, .position = i});
    if (!id) return id.error();
    ++drawn[static_cast<std::size_t>(*id)];
  }
  std::printf("10,000 draws  %8d%8d%8d%8d\n", drawn[0], drawn[1], drawn[2], drawn[3]);
  return {};
}

int main() {
  const Row logits = {2.0F, 1.5F, 0.25F, -1.0F}, other = {1.0F, 2.0F, 0.25F, -1.0F};
  if (auto done = distributions(logits); !done) return complain(done.error());
  if (auto done = in_parts(logits); !done) return complain(done.error());
  if (auto done = distances(logits, other); !done) return complain(done.error());
  if (auto done = draws(logits); !done) return complain(done.error());
}
