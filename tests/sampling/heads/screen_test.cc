// Bounds of a screen against the exact logits.
#include "sampling/heads/screen.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "sampling/heads/heads.h"
#include "sampling/heads/screen_making.h"
#include "tests/catch.h"
#include "tests/packed.h"
#include "tests/sampling/rows.h"
#include "weights/codecs/codec.h"

namespace partita::internal::test {
namespace {

/// Hidden states with a mean and with very different scales in some directions.
std::vector<float> hidden_state(std::uint64_t seed, std::size_t size) {
  std::vector<float> h(size);
  float before = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const float own = normal_at(seed * size + i) * (i % 17 == 0 ? 12.0F : 1.0F);
    h[i] = own + 0.5F * before + (i % 5 == 0 ? 3.0F : -0.5F);
    before = own;
  }
  return h;
}

OwnedMatrix matrix_of(Dtype type, std::size_t rows, std::size_t cols) {
  std::vector<float> values(rows * cols);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.05F * normal_at(900000000 + i) + (i % cols % 7 == 0 ? 0.02F : 0.0F);
    if (i / cols % 97 == 3) values[i] *= 20;  // some rows stand out
  }
  std::vector<std::byte> blocks(values.size() / block_elements(type) * block_bytes(type));
  codec(type).quantize(values.data(), values.size(), blocks.data());
  return pack(type, rows, cols, blocks);
}

HiddenMoments moments_of(std::size_t count, std::size_t size) {
  HiddenMoments moments(size);
  for (std::uint64_t i = 0; i < count; ++i) moments.add(hidden_state(i, size).data());
  return moments;
}

struct Bounds {
  std::vector<float> upper;
  float lower = -kInf;
  double shift = 0;
};

Bounds bounds_of(const Screen& screen, const std::vector<float>& hidden, Certificate certificate,
                 const Kernels& kernels) {
  const std::size_t size = hidden.size();
  ScreenQueries rows(1, size);
  screen.change_basis(hidden.data(), 0, 0, size / 3, kernels, rows);
  screen.change_basis(hidden.data(), 0, size / 3, size, kernels, rows);
  screen.make_query(hidden.data(), 0, certificate, rows);
  const ScreenPanels panels = screen.panels();
  Bounds bounds;
  bounds.upper.resize(panels.panels() * kPanelRows);
  bounds.shift = screen.shift(hidden.data());
  kernels.screen(panels, 0, panels.panels(), rows.query(1), bounds.upper.data(), bounds.upper.size(),
                 &bounds.lower);
  return bounds;
}

/// The logits of the dense head.
std::vector<float> logits_of(const PackedMatrix& matrix, const std::vector<float>& hidden,
                             const Kernels& kernels) {
  ActivationBuffer buffer(1, matrix.cols);
  std::copy(hidden.begin(), hidden.end(), buffer.values());
  const Activations x = buffer.view(1, matrix.cols);
  kernels.quantize(x, 0, 1);
  std::vector<float> logits(matrix.rows);
  AlignedBytes scratch(matmul_scratch_bytes(matrix.cols));
  kernels.matmul(matrix, {0, matrix.panels()}, x, logits.data(), matrix.rows, scratch.data());
  return logits;
}

/// The input of the exact product.
std::vector<float> as_taken(const PackedMatrix& matrix, const std::vector<float>& hidden,
                            const Kernels& kernels) {
  ActivationBuffer buffer(1, matrix.cols);
  std::copy(hidden.begin(), hidden.end(), buffer.values());
  const Activations x = buffer.view(1, matrix.cols);
  if (matrix.quantized()) kernels.quantize(x, 0, 1);
  std::vector<float> taken(matrix.cols);
  product_input(matrix, x, 0, taken.data());
  return taken;
}

TEST_CASE("No logit is outside its bounds, and the bounds are narrow") {
  for (const Dtype type : {Dtype::kQ8_0, Dtype::kF16}) {
    constexpr std::size_t kVocab = 2003, kHidden = 96;
    const OwnedMatrix matrix = matrix_of(type, kVocab, kHidden);
    const Result<Screen> screen = make_screen(matrix, moments_of(400, kHidden), {.threads = 2});
    REQUIRE(screen);
    for (const NamedKernels& k : all_kernels()) {
      if (k.kernels == &exact_kernels()) continue;
      std::size_t survivors = 0;
      double upper = 0, strict_upper = 0;  // sums of bounds
      constexpr std::uint64_t kStates = 40;
      for (std::uint64_t i = 0; i < kStates; ++i) {
        const std::vector<float> hidden = hidden_state(7000 + i, kHidden);
        const std::vector<float> logits = logits_of(matrix, hidden, *k.kernels);
        const std::vector<float> taken = as_taken(matrix, hidden, *k.kernels);
        const Bounds dithered = bounds_of(*screen, taken, Certificate::kDithered, *k.kernels);
        const Bounds strict = bounds_of(*screen, taken, Certificate::kStrict, *k.kernels);
        const float best = *std::max_element(logits.begin(), logits.end());
        for (const Bounds* bounds : {&dithered, &strict}) {
          CAPTURE(k.name, i, bounds == &strict);
          REQUIRE(static_cast<double>(best) - bounds->shift >= static_cast<double>(bounds->lower));
          std::size_t outside = 0;
          for (std::size_t v = 0; v < kVocab; ++v) {
            outside += static_cast<double>(logits[v]) - bounds->shift > static_cast<double>(bounds->upper[v]);
            (bounds == &strict ? strict_upper : upper) += static_cast<double>(bounds->upper[v]);
            survivors += dithered.upper[v] >= dithered.lower ? 1 : 0;
          }
          REQUIRE(outside == 0);
        }
      }
      CAPTURE(k.name, survivors, upper, strict_upper);
      CHECK(survivors < kStates * kVocab / 2);  // counted twice
      CHECK(upper < strict_upper);
    }
  }
}

std::vector<Result<Answer>> ask_twice(const OutputHead& head, std::span<const Question> questions,
                                      int threads) {
  std::vector<Result<Answer>> answers(questions.size(), Result<Answer>(Answer{}));
  const auto scratch = head.make_scratch(questions.size(), threads);
  REQUIRE(scratch != nullptr);
  for (int twice = 0; twice < 2; ++twice)
    head.answer(questions, *scratch, answers);  // the scratch is clean afterwards
  return answers;
}

TEST_CASE("The screened head answers as the plain one, alone and in a batch, and reads fewer bytes",
          "[slow]") {
  constexpr std::size_t kVocab = 2003, kHidden = 96, kStates = 30;
  const std::vector<SamplingOptions> options = {
      {{"temperature", 0}},
      {{"temperature", 0}, {"top_k", 3}},
      {},
      {{"temperature", 0.5}},
      {{"temperature", 1.3}},
      {{"temperature", 1e-6}},
      {{"temperature", 0.8}, {"top_k", 40}, {"top_p", 0.95}, {"min_p", 0.05}},
      {{"top_k", 1}},
      {{"top_k", 1000}},
      {{"temperature", 0.7}, {"min_p", 0.1}},
      {{"top_p", 0.9}},
      {{"temperature", 0.8}, {"top_p", 0.95}},  // the plain head answers some of these
      {{"temperature", 50}, {"min_p", 0.5}},
      {{"top_k", 2000}},
      {{"repeat_penalty", 1.3}, {"top_k", 20}},
      {{"temperature", 0}, {"repeat_penalty", 1.3}, {"penalty_last_n", 20}},
      {{"temperature", 0}, {"frequency_penalty", 0.4}, {"top_p", 0.9}}};
  std::vector<Chain> chains;
  for (const SamplingOptions& o : options) chains.push_back(*Chain::create(o));
  std::vector<float> hidden;
  for (std::uint64_t i = 0; i < kStates; ++i) {
    const std::vector<float> h = hidden_state(8000 + i, kHidden);
    hidden.insert(hidden.end(), h.begin(), h.end());
  }
  std::fill_n(hidden.begin(), kHidden, 0.0F);
  std::fill_n(hidden.begin() + kHidden, kHidden, std::numeric_limits<float>::quiet_NaN());
  const std::vector<std::int32_t> seen = history(1, kVocab);
  std::vector<Question> questions;
  for (std::size_t c = 0; c < chains.size(); ++c) {
    for (std::size_t i = 0; i < kStates; ++i) {
      Question q;
      q.hidden = hidden.data() + i * kHidden;
      q.chain = &chains[c];
      q.key = {3, c, i};
      q.history = seen;
      if (i % 10 == 9) q.top = 3;
      questions.push_back(q);
    }
  }
  for (const Dtype type : {Dtype::kQ8_0, Dtype::kF16}) {
    const OwnedMatrix matrix = matrix_of(type, kVocab, kHidden);
    const Result<Screen> screen = make_screen(matrix, moments_of(400, kHidden), {});
    REQUIRE(screen);
    for (const NamedKernels& k : all_kernels()) {
      if (k.kernels == &exact_kernels()) continue;
      const auto plain = make_dense_head(matrix, *k.kernels);
      const std::vector<Result<Answer>> expected = ask_twice(*plain, questions, 2);
      for (const Certificate certificate : {Certificate::kDithered, Certificate::kStrict}) {
        const auto head = make_screened_head(matrix, *screen, certificate, *k.kernels);
        std::size_t fewer = 0;
        for (const int threads : {1, 3}) {
          const std::vector<Result<Answer>> answers = ask_twice(*head, questions, threads);
          for (std::size_t q = 0; q < questions.size(); ++q) {
            CAPTURE(k.name, threads, chains[q / kStates].describe(), q % kStates);
            REQUIRE(answers[q].ok() == expected[q].ok());
            if (!answers[q]) continue;
            REQUIRE(answers[q]->choice.id == expected[q]->choice.id);
            REQUIRE(answers[q]->top == expected[q]->top);
            fewer += answers[q]->head_bytes < matrix.bytes() ? 1 : 0;
          }
        }
        CAPTURE(k.name, fewer);
        if (certificate == Certificate::kDithered)
          CHECK(fewer > questions.size() * 4 / 5);  // of twice as many
        for (std::size_t q = 0; q < questions.size(); q += 17) {
          const std::vector<Result<Answer>> alone = ask_twice(*head, std::span(questions).subspan(q, 1), 2);
          REQUIRE(alone[0].ok() == expected[q].ok());
          if (alone[0]) REQUIRE(alone[0]->choice.id == expected[q]->choice.id);
        }
      }
    }
  }
}

TEST_CASE("Screens of unsupported matrices and moments are refused") {
  const OwnedMatrix matrix = matrix_of(Dtype::kQ8_0, 64, 96);
  CHECK(make_screen(matrix, moments_of(95, 96), {}).error().message ==
        "a screen for a hidden size of 96 needs at least as many hidden states of that size, not 95 of size "
        "96");
  CHECK(make_screen(matrix, moments_of(200, 64), {}).error().code == ErrorCode::kInvalidArgument);
  CHECK(make_screen(matrix, moments_of(100, 96), {.progress = [](float) { return false; }}).error().code ==
        ErrorCode::kCancelled);
}

}  // namespace
}  // namespace partita::internal::test
