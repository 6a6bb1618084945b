// What this processor can do at most, measured: what the rates of kernels are held against. One thread.
#pragma once

#include <cstddef>

#include "engine/kernels/isa.h"

namespace partita {

/// Bytes per second of plainly reading `bytes` again and again: from the cache that holds so many, or from
/// memory.
double read_roof(std::size_t bytes);

/// Floating-point operations per second of fused multiply-adds on registers, two each. 0 for kScalar.
double fma_roof(Isa isa);

}  // namespace partita
