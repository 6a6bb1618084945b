#include "sampling/chain/guidance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sampling/softmax/softmax.h"
#include "weights/sentence.h"

namespace partita::internal {

Result<void> guide(std::span<const float> own, std::span<float> other, float scale, const Kernels& kernels) {
  const Result<LogPartition> mine = log_partition(own, kernels);
  if (!mine) return mine.error();
  const Result<LogPartition> theirs = log_partition(other, kernels);
  if (!theirs) return at_place(theirs.error(), "after the negative prompt");
  constexpr float kMasked = -std::numeric_limits<float>::infinity();
  constexpr double kMax = std::numeric_limits<float>::max();
  const auto logprob = [](float logit, const LogPartition& partition) {
    return double{logit} - double{partition.max} - partition.log_sum;
  };
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (std::isinf(own[i]) || std::isinf(other[i])) {
      other[i] = kMasked;
      continue;
    }
    const double b = logprob(other[i], *theirs);
    const double guided = b + double{scale} * (logprob(own[i], *mine) - b);
    other[i] = static_cast<float>(std::clamp(guided, -kMax, kMax));
  }
  return {};
}

}  // namespace partita::internal
