// Draws against the distribution they are drawn from.
#include "sampling/chain/draw.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "sampling/chain/ensemble.h"
#include "sampling/softmax/softmax.h"
#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"
#include "tests/sanitized.h"

namespace partita::internal::test {
namespace {

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

/// What choose() does after its stages.
Choice drawn(Candidates& row, const StageContext& context) {
  const std::size_t place = draw(row, context.key);
  return {row.id(place), context.probability ? probability(row, *context.kernels, place) : 0};
}

/// The definition: the keys of all candidates.
std::size_t plainly(const Candidates& row, const DrawKey& key) {
  double best = -std::numeric_limits<double>::infinity();
  std::size_t winner = 0;
  for (std::size_t i = 0; i < row.count(); ++i) {
    const double below = static_cast<double>(row.values()[i]) - static_cast<double>(row.max());
    const double at = row.weight_factor() * below + gumbel_noise(key, row.id(i));
    if (at > best) {
      best = at;
      winner = i;
    }
  }
  return winner;
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

TEST_CASE("Draws follow the distribution of their chain", "[slow]") {
  const std::vector<SamplingOptions> chains = fixed_chains();
  constexpr int kDraws = all_or(20000, 4000);
  constexpr std::size_t kVocab = 300;  // more than a logit tile
  for (const std::string_view kind : {"normal", "masked"}) {
    const std::vector<float> logits = row(kind, 77, kVocab);
    const std::vector<std::int32_t> seen_ids = history(77, kVocab);
    for (const Isa isa : supported_isas()) {
      for (std::size_t c = 0; c < chains.size(); ++c) {
        StageContext context{seen_ids, 0, {}, &kernels(isa), nullptr, true};
        const Result<Chain> chain = Chain::create(chains[c]);
        Candidates scratch;
        std::vector<float> probabilities(logits.size());
        REQUIRE(chain->distribution(logits, context, {}, scratch, probabilities));
        std::vector<int> seen(logits.size());
        for (std::uint64_t i = 0; i < kDraws; ++i) {
          context.key = {2026, c, i};
          // After choose() the scratch holds the row as filtered; drawing from it again is choosing again.
          const Choice choice =
              i < 1000 ? *chain->choose(logits, context, {}, scratch) : drawn(scratch, context);
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

/// The p-value of a chi-square statistic (Wilson & Hilferty 1931).
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

/// The p-values of several seeds, each with a number of draws.
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
      const Choice choice = i < 100 ? *chain->choose(logits, context, {}, scratch) : drawn(scratch, context);
      ++seen[static_cast<std::size_t>(choice.id)];
    }
    all.push_back(p_value(fit(probabilities, seen, static_cast<int>(draws))));
  }
  return all;
}

TEST_CASE("The p-values of draws are uniform over seeds") {
  std::vector<double> all;
  for (const SamplingOptions& options : fixed_chains()) {
    const std::vector<double> p = p_values(options, 10, all_or(10000, 2000));
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

TEST_CASE("The draw is the argmax of logit + noise over what the stages leave") {
  std::vector<SamplingOptions> chains = fixed_chains();
  for (const double temperature : {1e-6, 0.05, 10.0, 1e6}) chains.push_back({{"temperature", temperature}});
  for (const std::string_view kind : {"normal", "peaked", "ties", "equal", "masked"}) {
    for (std::size_t c = 0; c < chains.size(); ++c) {
      const Result<Chain> chain = Chain::create(chains[c]);
      for (std::uint64_t i = 0; i < 40; ++i) {
        const std::vector<float> logits = row(kind, i, 1 + splitmix64(i) % 3000);
        const std::vector<std::int32_t> seen = history(i, logits.size());
        const StageContext context{seen, 0, {5, c, i}, &kernels(Isa::kScalar)};
        Candidates filtered;
        if (!chain->filter(logits, context, nullptr, filtered)) continue;  // all masked
        CAPTURE(kind, chain->describe(), i);
        const std::size_t expected = plainly(filtered, context.key);
        REQUIRE(draw(filtered, context.key) == expected);
        REQUIRE(chain->choose(logits, context, nullptr, filtered)->id == filtered.id(expected));
      }
    }
  }
}

TEST_CASE("The probability of a choice is computed on request and changes nothing") {
  const std::vector<float> logits = row("normal", 5, 1000);
  const Result<Chain> chain = Chain::create({{"temperature", 0.8}, {"top_p", 0.9}});
  const Result<Chain> adaptive = Chain::create({{"mirostat", 2}});
  Candidates scratch;
  for (std::uint64_t i = 0; i < 100; ++i) {
    StageContext context{{}, 0, {5, 6, i}, &kernels(Isa::kScalar)};
    const Choice plain = *chain->choose(logits, context, nullptr, scratch);
    CHECK(adaptive->choose(logits, context, nullptr, scratch)->probability > 0);  // it learns from it
    context.probability = true;
    const Choice told = *chain->choose(logits, context, nullptr, scratch);
    CHECK(plain.id == told.id);
    CHECK(plain.probability == 0);
    CHECK(told.probability > 0);
  }
}

TEST_CASE("Candidates without weight are not drawn, at either end, in full tiles and beside the drawn one") {
  for (const NamedKernels& k : all_kernels()) {
    for (const float light : {-kInf, -1e30F, -200.0F, -104.0F}) {
      for (const std::size_t at : {0U, 255U, 256U, 300U, 599U}) {
        std::vector<float> logits(600, light);
        logits[at] = 3;
        Candidates row;
        for (std::uint64_t i = 0; i < 100; ++i) {
          REQUIRE(row.start(logits, *k.kernels));
          REQUIRE(draw(row, {1, at, i}) == at);
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
      const StageContext context{seen, 0, key, k.kernels, nullptr, true};
      const Result<Choice> one = chain->choose(logits, context, {}, used);
      const Result<Choice> other = chain->choose(logits, context, {}, fresh);
      REQUIRE(one->id == other->id);
      REQUIRE(one->probability == other->probability);
    }
  }
}

TEST_CASE("The same logits give the same token, with the same probability, on every instruction set") {
  const std::vector<SamplingOptions> chains = {{},
                                               {{"temperature", 0.8F}, {"top_p", 0.95F}},
                                               {{"temperature", 1.3F}, {"top_k", 50}, {"min_p", 0.01F}}};
  const Kernels& scalar = kernels(Isa::kScalar);
  Candidates scratch;
  for (const Isa isa : supported_isas()) {
    for (std::uint64_t i = 0; i < 300; ++i) {
      const std::vector<float> logits = row(i % 3 == 0 ? "peaked" : "normal", i, 1 + splitmix64(i) % 3000);
      const Result<Chain> chain = Chain::create(chains[i % chains.size()]);
      const DrawKey key{3, 1, i};
      const Result<Choice> plain = chain->choose(logits, {{}, 0, key, &scalar, nullptr, true}, {}, scratch);
      const Result<Choice> fast =
          chain->choose(logits, {{}, 0, key, &kernels(isa), nullptr, true}, {}, scratch);
      CAPTURE(name(isa), i);
      REQUIRE(fast->id == plain->id);
      REQUIRE(fast->probability == plain->probability);
    }
  }
}

TEST_CASE("The softmax family allocates nothing after the first call") {
  const std::vector<float> logits = row("normal", 9, 49152), other = row("peaked", 9, 49152);
  std::vector<float> out(logits.size());
  REQUIRE(softmax(logits, out));
  OnlineSoftmax state;
  const AllocationWatch watch;
  bool all = softmax(logits, out) && log_softmax(logits, out) && log_sum_exp(logits) && argmax(logits) &&
             state.add(logits) && state.probabilities(logits, out) && entropy(logits) &&
             kl_divergence(logits, other) && cross_entropy(logits, 3) &&
             cross_entropy_gradient(logits, 3, out) && gumbel_max(logits, {});
  for (const double alpha : {1.0, 1.1, 1.5, 2.0, 3.0}) all = all && entmax(logits, alpha, out);
  CHECK(all);
  CHECK(watch.count() == 0);
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
    const AllocationWatch watch;
    for (std::uint64_t i = 0; i < 3; ++i) {
      for (const std::vector<float>* row : {&flat, &logits}) {
        context.key.position = i;
        if (!chain->choose(*row, context, {}, scratch)) FAIL("no token");
      }
    }
    CHECK(watch.count() == 0);
  }
}

TEST_CASE("Ensembles combine rows without allocating") {
  std::vector<float> rows = row("normal", 9, 49152), out(49152);
  const std::vector<float> second = row("masked", 9, 49152), weights = {1, 2};
  rows.insert(rows.end(), second.begin(), second.end());
  for (const PoolSpace space : {PoolSpace::kProbability, PoolSpace::kLogit}) {
    const auto pool = EnsemblePool::create(weights, space);
    const AllocationWatch watch;
    const auto done = pool->combine(rows, out, kernels(Isa::kScalar));
    CHECK(watch.count() == 0);
    CHECK(done);
  }
}

}  // namespace
}  // namespace partita::internal::test
