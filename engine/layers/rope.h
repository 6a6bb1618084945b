// Angles of rotary position embedding (Su et al. 2021).
#pragma once

#include <cstdint>
#include <vector>

namespace partita::internal {

/// The token at position p rotates pair i of a head by p * inverse_frequency[i].
struct Rope {
  std::vector<float> inverse_frequency;  // [head_dim / 2]
};

/// inverse_frequency[i] = base^(-2i / head_dim).
Rope make_rope(double base, std::uint32_t head_dim);

}  // namespace partita::internal
