// Avx512 with vpdpwssd. See simd_avx512.h.
#pragma once

#include "engine/kernels/simd_avx512.h"

namespace partita {
namespace {

struct Vnni : Avx512 {
  static constexpr Isa kIsa = Isa::kVnni;

  [[gnu::always_inline]] static void dot(I& sum, I x, const std::int16_t* y) {
#if defined(__AVX512VNNI__)
    // In assembly, as g++ 12 would load every pair into a register of its own and copy every sum twice.
    asm("vpdpwssd %2%{1to16%}, %1, %0"
        : "+v"(sum)
        : "v"(x), "m"(*reinterpret_cast<const std::int32_t(*)[1]>(y)));
#else  // a test's emulation
    sum = _mm512_dpwssd_epi32(sum, x, pair(y));
#endif
  }
};

}  // namespace
}  // namespace partita
