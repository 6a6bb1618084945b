// The token that a sampler chain chose.
#pragma once

#include <cstdint>

namespace partita::internal {

struct Choice {
  std::int32_t id = -1;
  float probability = 1;  // in the distribution it was drawn from; 0 if not requested; 1 if it was the argmax
};

}  // namespace partita::internal
