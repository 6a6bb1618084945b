// The dense LM head against plain dot products, and a row's answer in different batches.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "sampling/heads/heads.h"
#include "sampling/softmax/softmax.h"
#include "tests/catch.h"
#include "tests/packed.h"
#include "tests/sampling/rows.h"
#include "weights/codecs/codec.h"

namespace partita::internal::test {
namespace {

constexpr std::size_t kVocab = 1003, kHidden = 96;

/// Weights and hidden states of a seed, about normal.
std::vector<float> numbers(std::uint64_t seed, std::size_t n) {
  std::vector<float> values = row("normal", seed, n);
  for (float& v : values) v *= 0.5F;
  return values;
}

OwnedMatrix make_matrix(Dtype dtype) {
  const std::vector<float> values = numbers(31, kVocab * kHidden);
  std::vector<std::byte> blocks(values.size() / block_elements(dtype) * block_bytes(dtype));
  codec(dtype).quantize(values.data(), values.size(), blocks.data());
  return pack(dtype, kVocab, kHidden, blocks);
}

struct Setup {
  std::string name;
  const Kernels* kernels;
  OwnedMatrix matrix;
};

/// Every table with a float and a quantized matrix.
std::vector<Setup> setups() {
  std::vector<Setup> all;
  for (const NamedKernels& k : all_kernels()) {
    for (const Dtype dtype : {Dtype::kF32, Dtype::kQ8_0, Dtype::kQ4_1}) {
      all.push_back({k.name + " " + std::string(name(dtype)), k.kernels, make_matrix(dtype)});
    }
  }
  return all;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::vector<float> logits_of(const OutputHead& head, const std::vector<float>& hidden, int threads,
                             std::size_t max_rows) {
  const std::size_t rows = hidden.size() / kHidden;
  std::vector<float> out(rows * kVocab, kNan);
  const std::unique_ptr<HeadScratch> scratch = head.make_scratch(max_rows, threads);
  REQUIRE(scratch != nullptr);
  head.logits(hidden.data(), rows, nullptr, *scratch, out.data());
  return out;
}

TEST_CASE("Logits are the dot products of the weights with the hidden state") {
  const std::vector<float> hidden = numbers(5, 3 * kHidden);
  for (const Setup& s : setups()) {
    CAPTURE(s.name);
    const auto head = make_dense_head(s.matrix, *s.kernels);
    CHECK(head->vocab_size() == kVocab);
    CHECK(head->hidden_size() == kHidden);
    CHECK(head->bytes_per_row() == s.matrix.bytes());
    const std::vector<float> logits = logits_of(*head, hidden, 2, 3);
    std::vector<float> weights(kHidden);
    for (std::size_t id = 0; id < kVocab; ++id) {
      unpack_row(s.matrix, id, weights.data());
      for (std::size_t r = 0; r < 3; ++r) {
        double sum = 0, magnitude = 0;
        for (std::size_t c = 0; c < kHidden; ++c) {
          const double term = static_cast<double>(weights[c]) * static_cast<double>(hidden[r * kHidden + c]);
          sum += term;
          magnitude += std::abs(static_cast<double>(weights[c]));
        }
        // 16-bit activations of at most 4 err by 4 / 32767 / 2 each, floats by far less.
        REQUIRE(std::abs(static_cast<double>(logits[r * kVocab + id]) - sum) < magnitude * 6.2e-5 + 1e-5);
      }
    }
  }
}

/// Questions of every kind, and the data that they point to.
struct MixedBatch {
  std::vector<float> hidden;
  std::vector<Chain> chains;
  std::vector<std::vector<std::int32_t>> histories;
  std::vector<std::int32_t> score = {0, 17, static_cast<std::int32_t>(kVocab) - 1};
  std::vector<Question> questions;

  explicit MixedBatch(std::size_t rows) : hidden(numbers(8, rows * kHidden)) {
    for (const SamplingOptions& options :
         {SamplingOptions{}, SamplingOptions{{"temperature", 0}},
          SamplingOptions{
              {"temperature", 0.8F}, {"top_k", 40}, {"top_p", 0.95F}, {"repeat_penalty", 1.2F}}}) {
      chains.push_back(*Chain::create(options));
    }
    for (std::size_t r = 0; r < rows; ++r) histories.push_back(history(r, kVocab));
    for (std::size_t r = 0; r < rows; ++r) {
      Question q;
      q.hidden = hidden.data() + r * kHidden;
      q.chain = r % 4 == 3 ? nullptr : &chains[r % 4];
      q.key = {99, r, r * r};
      q.history = histories[r];
      if (r % 2 == 0) q.score = score;
      q.top = static_cast<int>(r % 5);
      q.chosen_logprob = r % 3 != 0;
      questions.push_back(q);
    }
  }
};

std::vector<Result<Answer>> ask(const OutputHead& head, std::span<const Question> questions, int threads) {
  std::vector<Result<Answer>> answers(questions.size(), Result<Answer>(Answer{}));
  const std::unique_ptr<HeadScratch> scratch = head.make_scratch(questions.size(), threads);
  REQUIRE(scratch != nullptr);
  head.answer(questions, *scratch, answers);
  return answers;
}

TEST_CASE("A soft cap bounds the logits, and answers are those of the capped row") {
  constexpr float kCap = 1.5F;
  const MixedBatch batch(5);
  for (const Setup& s : setups()) {
    CAPTURE(s.name);
    const auto head = make_dense_head({s.matrix, kCap}, *s.kernels);
    const std::vector<float> plain = logits_of(*make_dense_head(s.matrix, *s.kernels), batch.hidden, 1, 16);
    const std::vector<float> logits = logits_of(*head, batch.hidden, 2, 3);
    double most = 0, worst = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      most = std::max(most, std::abs(static_cast<double>(plain[i])));
      const double expected = kCap * std::tanh(static_cast<double>(plain[i]) / kCap);
      worst = std::max(worst, std::abs(expected - static_cast<double>(logits[i])));
    }
    CHECK(most > 2 * kCap);
    CHECK(worst < 1e-6);
    const std::vector<Result<Answer>> answers = ask(*head, batch.questions, 2);
    for (std::size_t r = 0; r < answers.size(); ++r) {
      std::vector<float> logp(kVocab);
      REQUIRE(log_softmax(std::span(logits).subspan(r * kVocab, kVocab), logp, *s.kernels));
      REQUIRE(answers[r]);
      for (std::size_t i = 0; i < answers[r]->score.size(); ++i)
        CHECK(answers[r]->score[i] == logp[static_cast<std::size_t>(batch.score[i])]);
      for (const auto& [id, logprob] : answers[r]->top) CHECK(logprob == logp[static_cast<std::size_t>(id)]);
    }
  }
}

TEST_CASE("A bias of the logits is added to the products") {
  const std::vector<float> hidden = numbers(5, 3 * kHidden), bias = numbers(8, kVocab);
  for (const Setup& s : setups()) {
    CAPTURE(s.name);
    const Linear linear{static_cast<const PackedMatrix&>(s.matrix), bias};
    const auto head = make_dense_head(linear, *s.kernels);
    CHECK(head->bytes_per_row() == s.matrix.bytes() + kVocab * sizeof(float));
    std::vector<float> expected = logits_of(*make_dense_head(s.matrix, *s.kernels), hidden, 2, 3);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += bias[i % kVocab];
    CHECK(same_bits(logits_of(*head, hidden, 2, 3), expected));
  }
}

TEST_CASE("The bits of a row's logits do not depend on other rows, threads or the size of the scratch") {
  constexpr std::size_t kRows = 19;
  const std::vector<float> hidden = numbers(6, kRows * kHidden);
  for (const Setup& s : setups()) {
    CAPTURE(s.name);
    const auto head = make_dense_head(s.matrix, *s.kernels);
    const std::vector<float> together = logits_of(*head, hidden, 1, 16);
    for (const int threads : {1, 2}) {
      for (const std::size_t max_rows : {1U, 5U, 512U}) {
        REQUIRE(same_bits(logits_of(*head, hidden, threads, max_rows), together));
      }
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const std::vector<float> own(hidden.begin() + static_cast<std::ptrdiff_t>(r * kHidden),
                                   hidden.begin() + static_cast<std::ptrdiff_t>((r + 1) * kHidden));
      REQUIRE(same_bits(logits_of(*head, own, 1, 1), std::span(together).subspan(r * kVocab, kVocab)));
    }
  }
}

TEST_CASE("Answers are those of the row's own logits") {
  const MixedBatch batch(21);
  for (const Setup& s : setups()) {
    CAPTURE(s.name);
    const auto head = make_dense_head(s.matrix, *s.kernels);
    const std::vector<float> logits = logits_of(*head, batch.hidden, 1, 16);
    const std::vector<Result<Answer>> answers = ask(*head, batch.questions, 2);
    for (std::size_t r = 0; r < answers.size(); ++r) {
      CAPTURE(r);
      const Question& q = batch.questions[r];
      const std::span<const float> own = std::span(logits).subspan(r * kVocab, kVocab);
      std::vector<float> logp(kVocab);
      REQUIRE(log_softmax(own, logp, *s.kernels));
      REQUIRE(answers[r]);
      const Answer& a = *answers[r];
      Candidates scratch;
      const std::int32_t id =
          q.chain == nullptr ? -1 : q.chain->choose(own, {q.history, 0, q.key, s.kernels}, {}, scratch)->id;
      CHECK(a.choice.id == id);
      CHECK(a.logprob == (q.chosen_logprob && id >= 0 ? logp[static_cast<std::size_t>(id)] : 0));
      REQUIRE(a.score.size() == q.score.size());
      for (std::size_t i = 0; i < a.score.size(); ++i)
        CHECK(a.score[i] == logp[static_cast<std::size_t>(q.score[i])]);
      std::vector<std::pair<std::int32_t, float>> top;
      for (std::size_t i = 0; i < kVocab; ++i) top.emplace_back(static_cast<std::int32_t>(i), logp[i]);
      std::stable_sort(top.begin(), top.end(), [&](const auto& x, const auto& y) {
        return own[static_cast<std::size_t>(x.first)] > own[static_cast<std::size_t>(y.first)];
      });
      top.resize(static_cast<std::size_t>(q.top));
      CHECK(a.top == top);
    }
  }
}

TEST_CASE("A row gets the same answer alone, in a batch and with any number of threads") {
  const MixedBatch batch(20);
  const auto same = [](const Answer& a, const Answer& b) {
    return a.choice.id == b.choice.id && a.logprob == b.logprob && a.score == b.score && a.top == b.top;
  };
  for (const Setup& s : setups()) {
    CAPTURE(s.name);
    const auto head = make_dense_head(s.matrix, *s.kernels);
    const std::vector<Result<Answer>> together = ask(*head, batch.questions, 1);
    for (const int threads : {2, 3}) {
      const std::vector<Result<Answer>> other = ask(*head, batch.questions, threads);
      for (std::size_t r = 0; r < other.size(); ++r) REQUIRE(same(*other[r], *together[r]));
    }
    for (std::size_t r = 0; r < batch.questions.size(); ++r) {
      REQUIRE(same(*ask(*head, std::span(batch.questions).subspan(r, 1), 1)[0], *together[r]));
    }
  }
}

TEST_CASE("A bad row fails alone") {
  for (const Setup& s : setups()) {
    CAPTURE(s.name);
    MixedBatch batch(20);
    const auto head = make_dense_head(s.matrix, *s.kernels);
    const std::vector<Result<Answer>> good = ask(*head, batch.questions, 2);
    batch.hidden[4 * kHidden + 50] = kNan;
    batch.hidden[17 * kHidden] = std::numeric_limits<float>::infinity();
    const std::vector<std::int32_t> outside = {0, static_cast<std::int32_t>(kVocab)}, negative = {-1};
    batch.questions[6].score = outside;
    batch.questions[8].score = negative;
    batch.questions[9].top = static_cast<int>(kVocab) + 5;
    const std::vector<Result<Answer>> answers = ask(*head, batch.questions, 2);
    for (const std::size_t r : {4U, 17U}) {
      REQUIRE_FALSE(answers[r]);
      CHECK(answers[r].error().code == ErrorCode::kBadNumbers);
    }
    REQUIRE_FALSE(answers[6]);
    CHECK(answers[6].error().code == ErrorCode::kInvalidArgument);
    CHECK(answers[6].error().message ==
          "the id to score is 1003, but the ids of the vocabulary are 0 to 1002");
    CHECK_FALSE(answers[8]);
    CHECK(answers[9]->top.size() == kVocab);
    for (const std::size_t r : {0U, 3U, 5U, 7U, 10U, 16U, 18U, 19U}) {
      REQUIRE(answers[r]);
      CHECK(answers[r]->choice.id == good[r]->choice.id);
      CHECK(answers[r]->score == good[r]->score);
    }
  }
}

}  // namespace
}  // namespace partita::internal::test
