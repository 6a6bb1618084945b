// The roofline of this processor, measured: the limits for the rates of kernels. One thread.
#pragma once

#include <cstddef>

#include "engine/kernels/isa.h"

namespace partita::internal {

/// Bytes per second of reading `bytes` repeatedly: from the cache level that holds them, or from memory.
double read_roof(std::size_t bytes);

/// Floating-point operations per second of fused multiply-adds on registers, two each. 0 for kScalar.
double fma_roof(Isa isa);

}  // namespace partita::internal
