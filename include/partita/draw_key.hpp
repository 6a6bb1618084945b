// The key of a random draw. A draw depends on nothing else.
#pragma once

#include <cstdint>

namespace partita {

struct DrawKey {
  std::uint64_t seed = 0;
  std::uint64_t sequence = 0;
  std::uint64_t position = 0;
};

}  // namespace partita
