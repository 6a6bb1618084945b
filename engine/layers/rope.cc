#include "engine/layers/rope.h"

#include <cmath>
#include <cstddef>

namespace partita::internal {

Rope make_rope(double base, std::uint32_t head_dim) {
  Rope rope;
  rope.inverse_frequency.resize(head_dim / 2);
  for (std::size_t i = 0; i < rope.inverse_frequency.size(); ++i) {
    rope.inverse_frequency[i] = static_cast<float>(std::pow(base, -2.0 * static_cast<double>(i) / head_dim));
  }
  return rope;
}

}  // namespace partita::internal
