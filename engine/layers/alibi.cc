#include "engine/layers/alibi.h"

#include <bit>
#include <cmath>

namespace partita::internal {

std::vector<float> alibi_slopes(std::uint32_t heads, double max_bias) {
  const std::uint32_t n = std::bit_floor(heads);
  std::vector<float> slopes;
  for (std::uint32_t h = 0; h < heads; ++h) {
    const double step = h < n ? h + 1 : h - n + 0.5;  // the odd ones of 2 n lie halfway between those of n
    slopes.push_back(static_cast<float>(std::exp2(-max_bias * step / n)));
  }
  return slopes;
}

}  // namespace partita::internal
