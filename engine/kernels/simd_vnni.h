// Avx512 with vpdpwssd. See simd_avx512.h.
#pragma once

#include "engine/kernels/simd_avx512.h"

namespace partita {
namespace {

struct Vnni : Avx512 {
  static constexpr Isa kIsa = Isa::kVnni;
  static I dot(I sum, I x, I y) { return _mm512_dpwssd_epi32(sum, x, y); }
};

}  // namespace
}  // namespace partita
