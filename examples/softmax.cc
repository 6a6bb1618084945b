// The softmax family without a model: one row of logits, several ways to read it.
#include <cstdio>
#include <partita/softmax.hpp>
#include <span>
#include <vector>

int complain(const partita::Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

void print(const char* what, const std::vector<float>& values) {
  std::printf("%-14s", what);
  for (const float x : values) std::printf("%8.4f", static_cast<double>(x));
  std::printf("\n");
}

int main() {
  const std::vector<float> logits = {2.0F, 1.5F, 0.25F, -1.0F};
  std::vector<float> p(logits.size());

  if (auto done = partita::softmax(logits, p); !done) return complain(done.error());
  print("softmax", p);
  for (const double alpha : {1.5, 2.0}) {
    const auto support = partita::entmax(logits, alpha, p);
    if (!support) return complain(support.error());
    print(alpha == 2 ? "sparsemax" : "1.5-entmax", p);
  }

  // The same row in two pieces, seen by two workers.
  const std::span<const float> row = logits;
  partita::OnlineSoftmax left, right;
  if (auto done = left.add(row.first(2)); !done) return complain(done.error());
  if (auto done = right.add(row.subspan(2)); !done) return complain(done.error());
  left.merge(right);
  std::printf("log-sum-exp   %8.4f\n", left.log_sum_exp());

  const auto entropy = partita::entropy(logits);
  const auto loss = partita::cross_entropy_gradient(logits, 1, p);
  if (!entropy || !loss) return complain(!entropy ? entropy.error() : loss.error());
  std::printf("entropy       %8.4f\ncross-entropy %8.4f\n", *entropy, *loss);
  print("its gradient", p);

  std::vector<int> drawn(logits.size());
  for (std::uint64_t i = 0; i < 10000; ++i) {
    const auto id = partita::gumbel_max(logits, {.seed = 1, .position = i});
    if (!id) return complain(id.error());
    ++drawn[static_cast<std::size_t>(*id)];
  }
  std::printf("10,000 draws  %8d%8d%8d%8d\n", drawn[0], drawn[1], drawn[2], drawn[3]);
}
