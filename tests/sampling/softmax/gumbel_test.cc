// The Gumbel-max draw against softmax.
#include <cmath>
#include <limits>
#include <set>

#include "sampling/softmax/softmax.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

std::int32_t plainly(std::span<const float> logits, const DrawKey& key) {
  double best = -std::numeric_limits<double>::infinity();
  std::int32_t at = -1;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const double value = static_cast<double>(logits[i]) + gumbel_noise(key, id);
    if (value > best) {
      best = value;
      at = id;
    }
  }
  return at;
}

TEST_CASE("The draw is the argmax of logit + noise, under every table") {
  for (const NamedKernels& k : all_kernels()) {
    for (const std::string_view kind : {"normal", "peaked", "ties", "equal", "masked"}) {
      for (const double scale : {0.01, 1.0, 10.0, 1e4, 1e30}) {
        for (std::uint64_t i = 0; i < 10; ++i) {
          std::vector<float> logits = row(kind, i, 1 + splitmix64(i) % 2000);
          for (float& x : logits) x *= static_cast<float>(scale);
          if (!log_partition(logits, *k.kernels)) continue;  // all masked
          CAPTURE(k.name, kind, scale, i);
          CHECK(*gumbel_max(logits, {4, i, 5}, *k.kernels) == plainly(logits, {4, i, 5}));
        }
      }
    }
    const std::vector<float> lowest = {std::numeric_limits<float>::lowest(), -kInf};
    CHECK(*gumbel_max(lowest, {}, *k.kernels) == 0);
  }
}

TEST_CASE("Gumbel-max draws follow softmax, and never a masked id") {
  constexpr int kDraws = 40000;
  for (const std::string_view kind : {"normal", "masked"}) {
    const std::vector<float> logits = row(kind, 77, 300);
    std::vector<float> p(logits.size());
    REQUIRE(softmax(logits, p));
    std::vector<int> seen(logits.size());
    for (std::uint64_t i = 0; i < kDraws; ++i)
      ++seen[static_cast<std::size_t>(*gumbel_max(logits, {2026, 1, i}))];
    double chi_square = 0, pooled = 0, pooled_seen = 0;
    int freedom = 0;  // cells less one
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const double expected = static_cast<double>(p[i]) * kDraws;
      if (p[i] == 0) REQUIRE(seen[i] == 0);
      if (expected >= 10) {
        chi_square += (seen[i] - expected) * (seen[i] - expected) / expected;
        ++freedom;
      } else {
        pooled += expected;
        pooled_seen += seen[i];
      }
    }
    chi_square += (pooled_seen - pooled) * (pooled_seen - pooled) / pooled;
    CAPTURE(kind, chi_square, freedom);
    REQUIRE(freedom > 50);
    // 3.3 standard deviations either way.
    CHECK(std::abs(chi_square - freedom) < 3.3 * std::sqrt(2.0 * freedom));
  }
}

TEST_CASE("Noise depends on the key and the id alone, and every part of both changes it") {
  std::set<double> all;
  for (std::int32_t id = 0; id < 1000; ++id) all.insert(gumbel_noise({1, 2, 3}, id));
  for (std::uint64_t i = 1; i <= 100; ++i) {
    all.insert({gumbel_noise({i + 9, 0, 0}, 5), gumbel_noise({0, i, 0}, 5), gumbel_noise({0, 0, i}, 5)});
  }
  CHECK(all.size() == 1300);
  CHECK(std::isfinite(gumbel_noise({}, std::numeric_limits<std::int32_t>::max())));
  // Masking others, or more ids at the end, does not move the winner's noise.
  std::vector<float> logits = row("normal", 4, 500);
  for (std::uint64_t i = 0; i < 50; ++i) {
    const std::int32_t chosen = *gumbel_max(logits, {6, 7, i});
    std::vector<float> masked(logits.size() + 300, -kInf);
    for (std::size_t j = 0; j < logits.size(); j += 2) masked[j] = logits[j];
    masked[static_cast<std::size_t>(chosen)] = logits[static_cast<std::size_t>(chosen)];
    CHECK(*gumbel_max(masked, {6, 7, i}) == chosen);
  }
}

TEST_CASE("Noise is finite, within its stated ends, and distributed as Gumbel's") {
  constexpr int kDraws = 64000, kCells = 64;
  std::vector<int> seen(kCells);
  double sum = 0;
  for (std::int32_t id = 0; id < kDraws; ++id) {
    const double noise = gumbel_noise({12, 0, 0}, id);
    REQUIRE(noise >= -3.61);
    REQUIRE(noise <= 42.29);
    sum += noise;
    ++seen[static_cast<std::size_t>(std::exp(-std::exp(-noise)) * kCells)];
  }
  double chi_square = 0;
  for (const int n : seen) chi_square += (n - 1000.0) * (n - 1000.0) / 1000.0;
  CHECK(chi_square < 103.4);  // 63 degrees of freedom, p = 0.001
  CHECK(chi_square > 34.3);   // p = 0.999
  CHECK(std::abs(sum / kDraws - 0.5772) < 3.3 * 1.2825 / std::sqrt(kDraws));  // Euler's constant, pi / sqrt 6
}

TEST_CASE("What gumbel_max refuses") {
  CHECK(gumbel_max({}, {}).error().code == ErrorCode::kBadNumbers);
  CHECK(gumbel_max(std::vector<float>{-kInf}, {}).error().code == ErrorCode::kBadNumbers);
  CHECK(gumbel_max(std::vector<float>{1, kNan}, {}).error().message.rfind("the logit of id 1 is nan", 0) ==
        0);
  CHECK(gumbel_max(std::vector<float>{kInf, 1}, {}).error().message.rfind("the logit of id 0 is inf", 0) ==
        0);
}

}  // namespace
}  // namespace partita::internal::test
