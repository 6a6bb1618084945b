#include "sampling/softmax/softmax.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "sampling/chain/numbers.h"
#include "sampling/softmax/row.h"
#include "weights/catch_all.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// The sum of exp(x - max) over a tile except the first entry equal to max.
double sum_beside_peak(std::span<const float> tile, float max, const Kernels& kernels) {
  std::array<float, kSoftmaxTile> e;
  kernels.exp_sum(tile.data(), tile.size(), max, 1, e.data());
  const auto peak = std::find(tile.begin(), tile.end(), max) - tile.begin();
  double sum = 0;
  for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(tile.size()); ++i) {
    if (i != peak) sum += static_cast<double>(e[static_cast<std::size_t>(i)]);
  }
  return sum;
}

}  // namespace

Result<LogPartition> log_partition(std::span<const float> logits, const Kernels& kernels) {
  const Result<Peak> peak = find_peak(logits, kernels);
  if (!peak) return peak.error();
  double rest = 0;  // Without the peak's own 1, so that the sum of the others keeps its precision beside a
                    // dominant logit.
  for_softmax_tiles(logits.size(), [&](std::size_t first, std::size_t n) {
    rest += first == peak->tile ? sum_beside_peak(logits.subspan(first, n), peak->max, kernels)
                                : kernels.exp_sum(logits.data() + first, n, peak->max, 1, nullptr);
  });
  const double log_sum = std::log1p(rest);
  return LogPartition{peak->max, static_cast<double>(peak->max) + log_sum, log_sum};
}

Result<void> softmax(std::span<const float> logits, std::span<float> probabilities, const Kernels& kernels) {
  TRY(check_sizes(logits.size(), probabilities.size()));
  const Result<Peak> peak = find_peak(logits, kernels);
  if (!peak) return peak.error();
  double sum = 0;
  for_softmax_tiles(logits.size(), [&](std::size_t first, std::size_t n) {
    sum += kernels.exp_sum(logits.data() + first, n, peak->max, 1, probabilities.data() + first);
  });
  for (float& p : probabilities) p = static_cast<float>(static_cast<double>(p) / sum);
  return {};
}

Result<void> log_softmax(std::span<const float> logits, std::span<float> out, const Kernels& kernels) {
  TRY(check_sizes(logits.size(), out.size()));
  const Result<LogPartition> partition = log_partition(logits, kernels);
  if (!partition) return partition.error();
  std::transform(logits.begin(), logits.end(), out.begin(),
                 [&](float x) { return partition->log_probability(x); });
  return {};
}

}  // namespace partita::internal
