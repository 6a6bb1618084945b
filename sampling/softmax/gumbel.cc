// The Gumbel-max draw: the argmax of logit + noise. (Gumbel 1954; Maddison et al. 2014)
#include "sampling/softmax/gumbel.h"

#include <limits>
#include <string>

#include "sampling/chain/noise.h"
#include "sampling/softmax/row.h"
#include "weights/sentence.h"

namespace partita::internal {

Result<std::int32_t> gumbel_max(std::span<const float> logits, const DrawKey& key, const Kernels& kernels) {
  constexpr std::size_t kMaxIds = std::numeric_limits<std::int32_t>::max();
  if (logits.size() > kMaxIds) {
    return invalid("there are ", logits.size(), " logits, but ids end at ", kMaxIds);
  }
  const Result<Peak> peak = find_peak(logits, kernels);
  if (!peak) return peak.error();
  const Noise noise(key);
  Race race(noise, 1, 0);
  race.add_all(logits, peak->tile / kNoiseTile, [&](std::size_t b) {
    const std::size_t first = b * kNoiseTile;
    return kernels.max(logits.data() + first, std::min(kNoiseTile, logits.size() - first));
  });
  return static_cast<std::int32_t>(race.winner());
}

}  // namespace partita::internal
