// What a chain of stages answers.
#pragma once

#include <cstdint>

namespace partita {

/// A token that a chain chose.
struct Choice {
  std::int32_t id = -1;
  float probability = 1;  // under what it was drawn from, 0 if not asked for; 1 if it was the argmax
};

}  // namespace partita
