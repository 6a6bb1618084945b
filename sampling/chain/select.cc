#include "sampling/chain/select.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace partita::internal {
namespace {

constexpr std::uint32_t kBins = 1024;

/// Bins of equal width between the largest value (bin 0) and the smallest (the last bin).
struct Bins {
  double high;
  double per_unit;
  std::uint32_t of(float value) const {
    return static_cast<std::uint32_t>(
        static_cast<std::int32_t>((high - static_cast<double>(value)) * per_unit));
  }
};

/// The number of the n equal weights that, added to `above`, reach the target.
std::size_t ties_needed(double above, double weight, double target, std::size_t n) {
  if (!(weight > 0)) return n;
  const double needed = std::ceil((target - above) / weight);
  if (!(needed < static_cast<double>(n))) return n;
  auto ties = static_cast<std::size_t>(std::max(needed, 1.0));
  // The quotient is rounded, so the sums decide.
  while (ties > 1 && above + static_cast<double>(ties - 1) * weight >= target) --ties;
  while (ties < n && above + static_cast<double>(ties) * weight < target) ++ties;
  return ties;
}

/// Moves the entries of one bin to the front; returns their number.
std::size_t keep_bin(const Bins& bins, std::uint32_t bin, std::size_t n, std::span<float> values,
                     std::span<float> weights) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float value = values[i];
    values[kept] = value;
    if (!weights.empty()) weights[kept] = weights[i];
    kept += bins.of(value) == bin ? 1 : 0;
  }
  return kept;
}

struct Range {
  float low, high;
};

/// The extremes of n >= 1 values, in lanes so that no comparison depends on the previous one.
Range range_of(const float* values, std::size_t n) {
  constexpr std::size_t kLanes = 8;
  std::array<float, kLanes> low, high;
  low.fill(values[0]);
  high.fill(values[0]);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[i + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  }
  for (; i < n; ++i) {
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
  }
  return {*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

}  // namespace

Cut select_largest(std::span<float> values, std::span<float> weights, double target) {
  std::size_t n = values.size();
  if (n == 0) return {};
  std::array<double, kBins> sums;
  double above = 0;  // the weight of all values above the n remaining ones
  while (true) {
    const auto [low, high] = range_of(values.data(), n);
    if (low == high) {
      return {high, ties_needed(above, weights.empty() ? 1.0 : static_cast<double>(weights[0]), target, n)};
    }
    const double range = static_cast<double>(high) - static_cast<double>(low);
    const Bins bins{static_cast<double>(high), static_cast<double>(kBins - 1) / range};
    sums.fill(0);
    for (std::size_t i = 0; i < n; ++i) {
      sums[bins.of(values[i])] += weights.empty() ? 1.0 : static_cast<double>(weights[i]);
    }
    std::uint32_t bin = 0;
    while (bin < kBins && above + sums[bin] < target) above += sums[bin++];
    if (bin == kBins) return {low, Cut::kAllTies};  // the sum of all is below the target, perhaps by rounding
    n = keep_bin(bins, bin, n, values, weights);
  }
}

}  // namespace partita::internal
