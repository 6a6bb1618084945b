// The Gumbel-max draw: add noise to every logit, take the largest. (Gumbel 1954; Maddison et al. 2014)
#include <limits>
#include <string>

#include "sampling/chain/noise.h"
#include "sampling/softmax/row.h"
#include "sampling/softmax/softmax.h"

namespace partita {

double gumbel_noise(const DrawKey& key, std::int32_t id) noexcept {
  const Noise noise(key);
  return noise.of(noise.block(static_cast<std::size_t>(id) / kNoiseBlock), id);
}

Result<std::int32_t> gumbel_max(std::span<const float> logits, const DrawKey& key, const Kernels& kernels) {
  constexpr std::size_t kMostIds = std::numeric_limits<std::int32_t>::max();
  if (logits.size() > kMostIds) {
    return Error{ErrorCode::kInvalidArgument, "there are " + std::to_string(logits.size()) +
                                                  " logits, but ids end at " + std::to_string(kMostIds)};
  }
  const Result<Peak> peak = find_peak(logits, kernels);
  if (!peak) return peak.error();
  const Noise noise(key);
  Race race(noise, 1, 0);
  race.meet_all(logits, peak->block / kNoiseBlock, [&](std::size_t b) {
    const std::size_t first = b * kNoiseBlock;
    return kernels.max(logits.data() + first, std::min(kNoiseBlock, logits.size() - first));
  });
  return static_cast<std::int32_t>(race.winner());
}

}  // namespace partita
