#include "sampling/chain/surprisal.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "sampling/chain/draw.h"
#include "sampling/chain/numbers.h"

namespace partita::internal {
namespace {

constexpr std::size_t kLanes = 8;

/// Sums in lanes, so that no addition depends on the previous one.
struct Sum {
  std::array<double, kLanes> lanes{};
  double total() const { return std::accumulate(lanes.begin(), lanes.end(), 0.0); }
};

/// Calls visit(i, lane) for i in [0, n), lanes in turn.
template <class Visit>
void in_lanes(std::size_t n, Visit&& visit) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) visit(i + lane, lane);
  }
  for (std::size_t lane = 0; i < n; ++i, ++lane) visit(i, lane);
}

}  // namespace

SurprisalStatistics surprisal_statistics(const Candidates& row, const Kernels& kernels) {
  const double factor = row.weight_factor();
  const auto max = static_cast<double>(row.max());
  Sum sum, first, second;
  std::array<float, kLogitTile> weights;
  const std::size_t tiles = (row.count() + kLogitTile - 1) / kLogitTile;
  for (std::size_t b = 0; b < tiles; ++b) {
    if (weighs_nothing(row, b)) continue;
    const std::size_t n = tile_weights(row, kernels, b, weights.data());
    const float* const values = row.values().data() + b * kLogitTile;
    in_lanes(n, [&](std::size_t i, std::size_t lane) {
      const auto w = static_cast<double>(weights[i]);
      const double d = w > 0 ? factor * (max - static_cast<double>(values[i])) : 0;
      sum.lanes[lane] += w;
      first.lanes[lane] += w * d;
      second.lanes[lane] += w * d * d;
    });
  }
  SurprisalStatistics result;
  result.weights = sum.total();
  result.mean = first.total() / result.weights;
  result.variance = std::max(0.0, second.total() / result.weights - result.mean * result.mean);
  return result;
}

Logits unmasked(const Candidates& row) {
  constexpr float kMasked = -std::numeric_limits<float>::infinity();
  const std::span<const float> values = row.values();
  const auto max = static_cast<double>(row.max());
  Sum count, first, second;
  in_lanes(values.size(), [&](std::size_t i, std::size_t lane) {
    const bool stays = values[i] > kMasked;
    const double d = stays ? max - static_cast<double>(values[i]) : 0;
    count.lanes[lane] += stays ? 1 : 0;
    first.lanes[lane] += d;
    second.lanes[lane] += d * d;
  });
  Logits result;
  const double n = count.total();
  result.count = static_cast<std::size_t>(n);
  result.mean_below = first.total() / n;
  result.deviation = std::sqrt(std::max(0.0, second.total() / n - result.mean_below * result.mean_below));
  return result;
}

float least_of_weight(const Candidates& row, double weight) {
  const auto max = static_cast<double>(row.max());
  return round_up(std::min(max, max + std::log(weight) / row.weight_factor()));
}

}  // namespace partita::internal
