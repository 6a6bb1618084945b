#include "sampling/draw.h"

#include <algorithm>
#include <array>

namespace partita {
namespace {

// The largest weight is 1, so nothing below 2^-100 can show in a draw of 53 bits. A block that light counts
// as empty; a block that does not has an entry of at least 2^-108, which every kernel's exp tells from 0.
constexpr double kNothing = 0x1p-100;
constexpr double kFarBelow = -75;  // kBlockValues * exp(-75) < kNothing

/// The first entry at which the running sum of weights exceeds `target`, lowered by what was passed on the
/// way; if rounding lets it pass all, the last entry that weighs something. Precondition: one does.
template <class Weight>
std::size_t walk(const Weight* weights, std::size_t n, double& target) {
  std::size_t last = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto weight = static_cast<double>(weights[i]);
    if (!(weight > 0)) continue;
    if (target < weight) return i;
    target -= weight;
    last = i;
  }
  return last;
}

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

Choice draw(Candidates& row, const Kernels& kernels, double u) {
  std::vector<double>& sums = row.scratch.sums;
  const double total = sum_weights(row, kernels, sums);
  double target = u * total;
  const std::size_t block = walk(sums.data(), sums.size(), target);
  std::array<float, kBlockValues> weights;
  const std::size_t n = block_weights(row, kernels, block, weights.data());
  const std::size_t at = walk(weights.data(), n, target);
  return {row.id(block * kBlockValues + at), static_cast<float>(double{weights[at]} / total)};
}

}  // namespace partita
