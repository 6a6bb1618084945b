// What a chain of stages answers.
#pragma once

#include <cstdint>

namespace partita {

/// A token that a chain chose.
struct Choice {
  std::int32_t id = -1;
  float probability = 1;  // under the distribution that it was drawn from; 1 if it was the argmax
};

}  // namespace partita
