#include "sampling/chain/draw.h"

#include <algorithm>
#include <array>

#include "sampling/chain/noise.h"

namespace partita {
namespace {

static_assert(kNoiseBlock == kBlockValues);  // so that the maxima of a row are those of its blocks of noise

// The largest weight is 1, so nothing below 2^-100 can show in a draw of 53 bits. A block that light counts
// as empty; a block that does not has an entry of at least 2^-108, which every kernel's exp tells from 0.
constexpr double kNothing = 0x1p-100;
constexpr double kFarBelow = -75;  // kBlockValues * exp(-75) < kNothing

}  // namespace

bool weighs_nothing(const Candidates& row, std::size_t block) {
  const std::span<const float> maxima = row.block_maxima();
  return !maxima.empty() && (double{maxima[block]} - double{row.max()}) * row.weight_factor() < kFarBelow;
}

double sum_weights(const Candidates& row, const Kernels& kernels, std::vector<double>& block_sums) {
  const std::span<const float> values = row.values();
  const double factor = row.weight_factor();
  block_sums.resize((values.size() + kBlockValues - 1) / kBlockValues);
  double sum = 0;
  for (std::size_t b = 0; b < block_sums.size(); ++b) {
    const std::size_t first = b * kBlockValues;
    block_sums[b] = 0;
    if (weighs_nothing(row, b)) continue;
    const double weight = kernels.exp_sum(
        values.data() + first, std::min(kBlockValues, values.size() - first), row.max(), factor, nullptr);
    if (weight < kNothing) continue;
    block_sums[b] = weight;
    sum += weight;
  }
  return sum;
}

std::size_t block_weights(const Candidates& row, const Kernels& kernels, std::size_t block, float* out) {
  const std::size_t first = block * kBlockValues;
  const std::size_t n = std::min(kBlockValues, row.count() - first);
  kernels.exp_sum(row.values().data() + first, n, row.max(), row.weight_factor(), out);
  return n;
}

std::size_t draw(const Candidates& row, const DrawKey& key) {
  const Noise noise(key);
  Race race(noise, row.weight_factor(), static_cast<double>(row.max()));
  if (row.full()) {
    const std::span<const float> maxima = row.block_maxima();
    const auto best = std::find(maxima.begin(), maxima.end(), row.max()) - maxima.begin();
    race.meet_all(row.values(), static_cast<std::size_t>(best), [&](std::size_t b) { return maxima[b]; });
    return race.winner();
  }
  const auto block_of = [&](std::size_t place) {
    return static_cast<std::size_t>(row.id(place)) / kNoiseBlock;
  };
  for (std::size_t first = 0, end = 0; first < row.count(); first = end) {
    const std::size_t b = block_of(first);
    while (end < row.count() && block_of(end) == b) ++end;
    race.meet(noise.block(b), row.values().subspan(first, end - first), first,
              [&](std::size_t place) { return row.id(place); });
  }
  return race.winner();
}

float probability(Candidates& row, const Kernels& kernels, std::size_t place) {
  const double total = sum_weights(row, kernels, row.scratch.sums);
  std::array<float, kBlockValues> weights;
  block_weights(row, kernels, place / kBlockValues, weights.data());
  return static_cast<float>(double{weights[place % kBlockValues]} / total);
}

}  // namespace partita
