// Selection without sorting against its definition by sorting.
#include "sampling/chain/select.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "sampling/chain/draw.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

/// The definition: ids by (value descending, id ascending), taken until the weights suffice; in ascending id
/// order.
std::vector<std::int32_t> slow_select(const std::vector<float>& values, const std::vector<float>& weights,
                                      double target) {
  std::vector<std::int32_t> ids(values.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](auto a, auto b) { return values[a] > values[b]; });
  double sum = 0;
  std::size_t taken = 0;
  while (taken < ids.size() && std::isfinite(values[ids[taken]]) && (taken == 0 || sum < target)) {
    sum += static_cast<double>(weights[ids[taken++]]);
  }
  ids.resize(taken);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<std::int32_t> ids_of(const Cut& cut, const std::vector<float>& values) {
  std::vector<std::int32_t> ids;
  std::size_t ties = cut.ties;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool tie = values[i] == cut.least && std::isfinite(values[i]) && ties > 0;
    if (values[i] > cut.least || tie) ids.push_back(static_cast<std::int32_t>(i));
    ties -= tie ? 1 : 0;
  }
  return ids;
}

std::vector<std::int32_t> fast_select(std::vector<float> values, std::vector<float> weights, double target) {
  const std::vector<float> original = values;
  return ids_of(select_largest(values, weights, target), original);
}

/// Rows in which everything is masked are no rows.
std::vector<float> with_one_finite(std::vector<float> values) {
  if (std::all_of(values.begin(), values.end(), [](float v) { return v == -kInf; })) values[0] = 0;
  return values;
}

/// Rows of 1 to 700 values: few levels and many ties, or none; some masked.
std::vector<float> random_row(std::uint64_t seed) {
  static constexpr std::string_view kKinds[] = {"normal", "peaked", "ties", "equal", "masked"};
  std::vector<float> values = row(kKinds[seed % 5], seed, 1 + splitmix64(seed) % (seed % 10 == 0 ? 700 : 60));
  const std::uint64_t levels = 1 + splitmix64(seed + 1) % 5;
  if (seed % 3 == 0) {
    for (float& v : values) v = std::floor(v / static_cast<float>(levels)) * static_cast<float>(levels);
  }
  return with_one_finite(std::move(values));
}

TEST_CASE("Top-p keeps what sorting keeps, on 10,000 rows with many ties") {
  const std::vector<NamedKernels> tables = all_kernels();
  Candidates scratch;
  for (std::uint64_t seed = 1; seed <= 10000; ++seed) {
    const NamedKernels& k = tables[seed % tables.size()];
    const std::vector<float> logits = random_row(seed);
    // Hundredths meet the sums of equal weights exactly.
    const float p = static_cast<float>(1 + splitmix64(seed + 2) % 99) / 100;
    const float temperature = seed % 2 == 0 ? 1.0F : 0.5F;
    CAPTURE(seed, k.name, p, temperature, logits.size());

    REQUIRE(scratch.start(logits, *k.kernels));
    scratch.divide_by(static_cast<double>(temperature));
    std::vector<double> sums;
    const double total = sum_weights(scratch, *k.kernels, sums);
    std::vector<float> weights(logits.size());
    k.kernels->exp_sum(logits.data(), logits.size(), scratch.max(), scratch.weight_factor(), weights.data());
    const std::vector<std::int32_t> expected = slow_select(logits, weights, static_cast<double>(p) * total);

    std::vector<float> probabilities(logits.size());
    const Result<Chain> chain = Chain::create({{"temperature", temperature}, {"top_p", p}});
    REQUIRE(chain->distribution(logits, {{}, 0, {}, k.kernels}, {}, scratch, probabilities));
    std::vector<std::int32_t> kept;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (probabilities[i] > 0) kept.push_back(static_cast<std::int32_t>(i));
    }
    REQUIRE(kept == expected);
  }
}

TEST_CASE("Top-k keeps what sorting keeps, for every k") {
  Candidates scratch;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const std::vector<float> logits =
        with_one_finite(row(seed % 2 == 0 ? "ties" : "masked", seed, 1 + splitmix64(seed) % 2000));
    for (const std::size_t k : {1U, 2U, 3U, 7U, 8U, 9U, 40U, 500U, 1999U}) {
      CAPTURE(seed, k, logits.size());
      std::vector<float> probabilities(logits.size());
      const Result<Chain> chain = Chain::create({{"top_k", static_cast<int>(k)}});
      REQUIRE(chain->distribution(logits, {{}, 0, {}, &exact_kernels()}, {}, scratch, probabilities));
      std::vector<std::int32_t> kept;
      for (std::size_t i = 0; i < logits.size(); ++i) {
        if (probabilities[i] > 0) kept.push_back(static_cast<std::int32_t>(i));
      }
      REQUIRE(kept == slow_select(logits, std::vector<float>(logits.size(), 1.0F), static_cast<double>(k)));
    }
  }
}

TEST_CASE("Selection by unit weights, by zero weights and beyond the sum of all") {
  const std::vector<float> values = {3, 1, 3, 2, -4, 3};
  CHECK(fast_select(values, {}, 2) == std::vector<std::int32_t>{0, 2});
  CHECK(fast_select(values, {}, 4) == std::vector<std::int32_t>{0, 2, 3, 5});
  CHECK(fast_select(values, {}, 5) == std::vector<std::int32_t>{0, 1, 2, 3, 5});
  CHECK(fast_select(values, {}, 7) == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5});
  CHECK(fast_select(values, {1, 0, 1, 0, 0, 1}, 3) == std::vector<std::int32_t>{0, 2, 5});
  CHECK(fast_select(values, {1, 0, 1, 0, 0, 1}, 4) == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5});
  CHECK(fast_select({7}, {}, 1) == std::vector<std::int32_t>{0});
  CHECK(fast_select({7}, {0.5F}, 1e-300) == std::vector<std::int32_t>{0});
}

TEST_CASE("Values spread over all floats are selected exactly") {
  std::vector<float> values;
  for (int exponent = -149; exponent < 128; ++exponent) {
    for (const float sign : {1.0F, -1.0F}) {
      values.push_back(std::ldexp(sign, exponent));
      values.push_back(std::nextafter(std::ldexp(sign, exponent), kInf));
      values.push_back(std::ldexp(sign, exponent));
    }
  }
  const std::vector<float> ones(values.size(), 1.0F);
  for (std::size_t k = 1; k <= values.size(); ++k) {
    REQUIRE(fast_select(values, {}, static_cast<double>(k)) ==
            slow_select(values, ones, static_cast<double>(k)));
  }
}

}  // namespace
}  // namespace partita::internal::test
