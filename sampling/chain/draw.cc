#include "sampling/chain/draw.h"

#include <algorithm>
#include <array>

#include "sampling/chain/noise.h"

namespace partita::internal {
namespace {

static_assert(kNoiseTile ==
              kLogitTile);  // so that the maxima of a row's logit tiles are those of its noise tiles

// The largest weight is 1, so a weight below 2^-100 cannot change a draw of 53 bits. Such a light tile counts
// as empty; any other has an entry of at least 2^-108, which every kernel's exp distinguishes from 0.
constexpr double kNothing = 0x1p-100;
constexpr double kFarBelow = -75;  // kLogitTile * exp(-75) < kNothing

}  // namespace

bool weighs_nothing(const Candidates& row, std::size_t tile) {
  const std::span<const float> maxima = row.tile_maxima();
  return !maxima.empty() && (double{maxima[tile]} - double{row.max()}) * row.weight_factor() < kFarBelow;
}

double sum_weights(const Candidates& row, const Kernels& kernels, std::vector<double>& tile_sums) {
  const std::span<const float> values = row.values();
  const double factor = row.weight_factor();
  tile_sums.resize((values.size() + kLogitTile - 1) / kLogitTile);
  double sum = 0;
  for (std::size_t b = 0; b < tile_sums.size(); ++b) {
    const std::size_t first = b * kLogitTile;
    tile_sums[b] = 0;
    if (weighs_nothing(row, b)) continue;
    const double weight = kernels.exp_sum(values.data() + first, std::min(kLogitTile, values.size() - first),
                                          row.max(), factor, nullptr);
    if (weight < kNothing) continue;
    tile_sums[b] = weight;
    sum += weight;
  }
  return sum;
}

std::size_t tile_weights(const Candidates& row, const Kernels& kernels, std::size_t tile, float* out) {
  const std::size_t first = tile * kLogitTile;
  const std::size_t n = std::min(kLogitTile, row.count() - first);
  kernels.exp_sum(row.values().data() + first, n, row.max(), row.weight_factor(), out);
  return n;
}

std::size_t draw(const Candidates& row, const DrawKey& key) {
  const Noise noise(key);
  Race race(noise, row.weight_factor(), static_cast<double>(row.max()));
  if (row.full()) {
    const std::span<const float> maxima = row.tile_maxima();
    const auto best = std::find(maxima.begin(), maxima.end(), row.max()) - maxima.begin();
    race.add_all(row.values(), static_cast<std::size_t>(best), [&](std::size_t b) { return maxima[b]; });
    return race.winner();
  }
  const auto tile_of = [&](std::size_t index) {
    return static_cast<std::size_t>(row.id(index)) / kNoiseTile;
  };
  for (std::size_t first = 0, end = 0; first < row.count(); first = end) {
    const std::size_t b = tile_of(first);
    while (end < row.count() && tile_of(end) == b) ++end;
    race.add(noise.tile(b), row.values().subspan(first, end - first), first,
             [&](std::size_t index) { return row.id(index); });
  }
  return race.winner();
}

float probability(Candidates& row, const Kernels& kernels, std::size_t index) {
  const double total = sum_weights(row, kernels, row.scratch.sums);
  std::array<float, kLogitTile> weights;
  tile_weights(row, kernels, index / kLogitTile, weights.data());
  return static_cast<float>(double{weights[index % kLogitTile]} / total);
}

}  // namespace partita::internal
