// Draws against the distribution they are drawn from.
#include "sampling/draw.h"

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>
#include <vector>

#include "rows.h"
#include "sampling/chain.h"
#include "tests/catch.h"

namespace {
std::atomic<std::size_t> allocations{0};
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace partita::test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// The chi-square value that is exceeded with the probability whose normal quantile is z (Wilson & Hilferty
/// 1931).
double chi_square_quantile(double freedom, double z) {
  const double a = 2 / (9 * freedom);
  return freedom * std::pow(1 - a + z * std::sqrt(a), 3);
}

struct Fit {
  double chi_square = 0;
  double freedom = -1;
};

/// Cells that expect fewer than 10 draws are pooled.
Fit fit(const std::vector<float>& probabilities, const std::vector<int>& seen, int draws) {
  Fit result;
  double pooled = 0, pooled_seen = 0;
  const auto add = [&](double expected, double count) {
    result.chi_square += (count - expected) * (count - expected) / expected;
    ++result.freedom;
  };
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const double expected = static_cast<double>(probabilities[i]) * draws;
    if (expected >= 10) {
      add(expected, seen[i]);
    } else {
      pooled += expected;
      pooled_seen += seen[i];
    }
  }
  if (pooled >= 10) add(pooled, pooled_seen);
  return result;
}

TEST_CASE("Draws follow the distribution of their chain") {
  const std::vector<SamplingOptions> chains = {
      {},
      {{"temperature", 0.6F}},
      {{"temperature", 1.5F}, {"top_k", 40}},
      {{"top_p", 0.9F}},
      {{"temperature", 0.8F}, {"top_p", 0.95F}, {"repeat_penalty", 1.3F}},
      {{"temperature", 2}, {"min_p", 0.1F}},
  };
  constexpr int kDraws = 20000;
  constexpr std::size_t kVocab = 300;  // more than a block
  for (const std::string_view kind : {"normal", "masked"}) {
    const std::vector<float> logits = row(kind, 77, kVocab);
    const std::vector<std::int32_t> seen_ids = history(77, kVocab);
    for (const Isa isa : supported_isas()) {
      for (std::size_t c = 0; c < chains.size(); ++c) {
        StageContext context{seen_ids, 0, {}, &kernels(isa)};
        const Result<Chain> chain = Chain::create(chains[c]);
        Candidates scratch;
        std::vector<float> probabilities(logits.size());
        REQUIRE(chain->distribution(logits, context, {}, scratch, probabilities));
        std::vector<int> seen(logits.size());
        for (std::uint64_t i = 0; i < kDraws; ++i) {
          context.key = {2026, c, i};
          const Result<Choice> choice = chain->choose(logits, context, {}, scratch);
          REQUIRE(choice);
          const auto id = static_cast<std::size_t>(choice->id);
          ++seen[id];
          REQUIRE(choice->probability == probabilities[id]);
        }
        for (std::size_t i = 0; i < seen.size(); ++i) REQUIRE((seen[i] == 0 || probabilities[i] > 0));
        const Fit result = fit(probabilities, seen, kDraws);
        CAPTURE(name(isa), kind, chain->describe(), result.chi_square, result.freedom);
        CHECK(result.freedom >= 4);
        CHECK(result.chi_square < chi_square_quantile(result.freedom, 3.3));
        CHECK(result.chi_square > chi_square_quantile(result.freedom, -3.3));
      }
    }
  }
}

TEST_CASE("The draw inverts the running sum in ascending id order") {
  // Probabilities 1/8, 0, 1/2, 1/8, 1/4.
  const std::vector<float> logits = {0, -kInf, std::log(4.0F), 0, std::log(2.0F)};
  for (const NamedKernels& k : all_kernels()) {
    Candidates row;
    const auto at = [&](double u) {
      REQUIRE(row.start(logits, *k.kernels));
      return draw(row, *k.kernels, u).id;
    };
    CHECK(at(0) == 0);
    CHECK(at(0.124) == 0);
    CHECK(at(0.126) == 2);
    CHECK(at(0.624) == 2);
    CHECK(at(0.626) == 3);
    CHECK(at(0.749) == 3);
    CHECK(at(0.751) == 4);
    CHECK(at(1 - 0x1p-53) == 4);
  }
}

TEST_CASE("What weighs nothing is not drawn, at either end, in whole blocks and beside the drawn") {
  for (const NamedKernels& k : all_kernels()) {
    for (const float light : {-kInf, -1e30F, -200.0F, -104.0F}) {
      for (const std::size_t at : {0U, 255U, 256U, 300U, 599U}) {
        std::vector<float> logits(600, light);
        logits[at] = 3;
        Candidates row;
        for (const double u : {0.0, 0.5, 1 - 0x1p-53}) {
          REQUIRE(row.start(logits, *k.kernels));
          REQUIRE(draw(row, *k.kernels, u).id == static_cast<std::int32_t>(at));
        }
      }
    }
  }
}

TEST_CASE("A draw depends on its key and its row, not on what the scratch did before") {
  const Result<Chain> chain =
      Chain::create({{"temperature", 0.9F}, {"top_p", 0.95F}, {"repeat_penalty", 1.2F}});
  for (const NamedKernels& k : all_kernels()) {
    Candidates used;
    for (std::uint64_t i = 0; i < 300; ++i) {
      const std::vector<float> logits = row(i % 2 == 0 ? "normal" : "ties", i, 1 + splitmix64(i) % 3000);
      const std::vector<std::int32_t> seen = history(i, logits.size());
      Candidates fresh;
      const DrawKey key{1, i, 7};
      const StageContext context{seen, 0, key, k.kernels};
      const Result<Choice> one = chain->choose(logits, context, {}, used);
      const Result<Choice> other = chain->choose(logits, context, {}, fresh);
      REQUIRE(one->id == other->id);
      REQUIRE(one->probability == other->probability);
    }
  }
}

TEST_CASE("Once a scratch has seen a row, choosing allocates nothing") {
  const std::vector<float> logits = row("normal", 9, 49152), flat = row("equal", 9, 49152);
  const std::vector<std::int32_t> seen = history(9, 49152);
  StageContext context{seen, 0, {}, &kernels(Isa::kScalar)};
  Candidates scratch;
  for (const SamplingOptions& options : {SamplingOptions{}, SamplingOptions{{"temperature", 0}},
                                         SamplingOptions{{"temperature", 0.8F}, {"top_p", 0.95F}},
                                         SamplingOptions{{"temperature", 0.8F},
                                                         {"top_k", 40},
                                                         {"top_p", 0.95F},
                                                         {"min_p", 0.05F},
                                                         {"repeat_penalty", 1.1F}},
                                         SamplingOptions{{"top_k", 20000}}}) {
    const Result<Chain> chain = Chain::create(options);
    for (const std::vector<float>* row : {&flat, &logits}) REQUIRE(chain->choose(*row, context, {}, scratch));
    const std::size_t before = allocations;
    for (std::uint64_t i = 0; i < 3; ++i) {
      for (const std::vector<float>* row : {&flat, &logits}) {
        context.key.position = i;
        if (!chain->choose(*row, context, {}, scratch)) FAIL("no token");
      }
    }
    CHECK(allocations == before);
  }
}

}  // namespace
}  // namespace partita::test
