// Draws against the distribution they are drawn from.
#include "sampling/draw.h"

#include <algorithm>
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

/// Chains of every filter whose distribution is the same at every token.
std::vector<SamplingOptions> fixed_chains() {
  return {
      {},
      {{"temperature", 0.6}},
      {{"temperature", 1.5}, {"top_k", 40}},
      {{"top_p", 0.9}},
      {{"temperature", 0.8}, {"top_p", 0.95}, {"repeat_penalty", 1.3}},
      {{"temperature", 2}, {"min_p", 0.1}},
      {{"typical_p", 0.8}},
      {{"top_n_sigma", 1.2}, {"temperature", 1.3}},
      {{"epsilon_cutoff", 0.003}, {"eta_cutoff", 0.2}},
      {{"xtc_probability", 1}, {"xtc_threshold", 0.015}},
      {{"temperature", 1.2}, {"dynatemp_range", 0.7}},
      {{"mirostat", 2}, {"mirostat_tau", 3.2}},
  };
}

TEST_CASE("Draws follow the distribution of their chain") {
  const std::vector<SamplingOptions> chains = fixed_chains();
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
          // After choose() the scratch holds the row as filtered; drawing from it again is choosing again.
          const Choice choice = i < 1000 ? *chain->choose(logits, context, {}, scratch)
                                         : draw(scratch, *context.kernels, uniform(context.key));
          const auto id = static_cast<std::size_t>(choice.id);
          ++seen[id];
          REQUIRE(choice.probability == probabilities[id]);
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

/// How likely chi-square is to be at least so large (Wilson & Hilferty 1931).
double p_value(const Fit& fit) {
  const double a = 2 / (9 * fit.freedom);
  const double z = (std::cbrt(fit.chi_square / fit.freedom) - (1 - a)) / std::sqrt(a);
  return 0.5 * std::erfc(z / std::sqrt(2.0));
}

/// Kolmogorov and Smirnov's statistic against the uniform distribution, times sqrt(n): above 1.95 once in
/// 1000.
double distance_from_uniform(std::vector<double> p) {
  std::sort(p.begin(), p.end());
  const auto n = static_cast<double>(p.size());
  double most = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const auto before = static_cast<double>(i);
    most = std::max({most, p[i] - before / n, (before + 1) / n - p[i]});
  }
  return most * std::sqrt(n);
}

/// The p-values of so many seeds, so many draws each.
std::vector<double> p_values(const SamplingOptions& options, std::uint64_t seeds, std::uint64_t draws) {
  constexpr std::size_t kVocab = 300;
  const std::vector<float> logits = row("normal", 78, kVocab);
  const std::vector<std::int32_t> seen_ids = history(78, kVocab);
  const Kernels& kernels = *all_kernels().back().kernels;
  const Result<Chain> chain = Chain::create(options);
  StageContext context{seen_ids, 0, {}, &kernels};
  Candidates scratch;
  std::vector<float> probabilities(kVocab);
  REQUIRE(chain->distribution(logits, context, {}, scratch, probabilities));
  std::vector<double> all;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    std::vector<int> seen(kVocab);
    for (std::uint64_t i = 0; i < draws; ++i) {
      context.key = {seed, 11, i};
      // After choose() the scratch holds the row as filtered; drawing from it again is choosing again.
      const Choice choice = i < 100 ? *chain->choose(logits, context, {}, scratch)
                                    : draw(scratch, kernels, uniform(context.key));
      ++seen[static_cast<std::size_t>(choice.id)];
    }
    all.push_back(p_value(fit(probabilities, seen, static_cast<int>(draws))));
  }
  return all;
}

TEST_CASE("The p-values of draws are uniform over seeds") {
  std::vector<double> all;
  for (const SamplingOptions& options : fixed_chains()) {
    const std::vector<double> p = p_values(options, 10, 10000);
    all.insert(all.end(), p.begin(), p.end());
  }
  CHECK(distance_from_uniform(all) < 1.95);
}

TEST_CASE("The p-values of a million draws are uniform over fifty seeds, for each of twelve chains",
          "[.][full]") {
  std::vector<double> all;
  REQUIRE(fixed_chains().size() == 12);
  for (const SamplingOptions& options : fixed_chains()) {
    const std::vector<double> p = p_values(options, 50, 1000000);
    all.insert(all.end(), p.begin(), p.end());
    const double distance = distance_from_uniform(p);
    WARN(Chain::create(options)->describe() << ": distance from uniform " << distance);
    CHECK(distance < 1.95);
  }
  const double distance = distance_from_uniform(all);
  WARN("all: distance from uniform " << distance);
  CHECK(distance < 1.95);
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
  for (const SamplingOptions& options :
       {SamplingOptions{}, SamplingOptions{{"temperature", 0}},
        SamplingOptions{{"temperature", 0.8F}, {"top_p", 0.95F}},
        SamplingOptions{{"temperature", 0.8F},
                        {"top_k", 40},
                        {"top_p", 0.95F},
                        {"min_p", 0.05F},
                        {"repeat_penalty", 1.1F}},
        SamplingOptions{{"top_k", 20000}}, SamplingOptions{{"typical_p", 0.9}},
        SamplingOptions{{"top_n_sigma", 1}}, SamplingOptions{{"epsilon_cutoff", 1e-5}, {"eta_cutoff", 0.1}},
        SamplingOptions{{"dynatemp_range", 0.5}},
        SamplingOptions{{"xtc_probability", 1}, {"xtc_threshold", 1e-5}}, SamplingOptions{{"mirostat", 1}},
        SamplingOptions{{"mirostat", 2}}}) {
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
