// What a random draw depends on, and all it depends on.
#pragma once

#include <cstdint>

namespace partita {

struct DrawKey {
  std::uint64_t seed = 0;
  std::uint64_t sequence = 0;
  std::uint64_t position = 0;
};

}  // namespace partita
