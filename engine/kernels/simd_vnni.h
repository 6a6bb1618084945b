// Avx512 with vpdpwssd. See simd_avx512.h.
#pragma once

#include "engine/kernels/simd_avx512.h"

namespace partita::internal {
namespace {

struct Vnni : Avx512 {
  static constexpr Isa kIsa = Isa::kVnni;

  [[gnu::always_inline]] static void dot(I& sum, I x, const std::int16_t* y) {
#if defined(__AVX512VNNI__)
    // In assembly, because g++ 12 would load every pair into a register of its own and copy every sum twice.
    asm("vpdpwssd %2%{1to16%}, %1, %0"
        : "+v"(sum)
        : "v"(x), "m"(*reinterpret_cast<const std::int32_t(*)[1]>(y)));
#else  // emulated in a test
    sum = _mm512_dpwssd_epi32(sum, x, pair(y));
#endif
  }
  [[gnu::always_inline]] static void nibble_dot(I& sum, I x, const std::int8_t* y) {
#if defined(__AVX512VNNI__)
    asm("vpdpbusd %2%{1to16%}, %1, %0"  // in assembly: see dot()
        : "+v"(sum)
        : "v"(x), "m"(*reinterpret_cast<const std::int32_t(*)[1]>(y)));
#else
    sum = _mm512_dpbusd_epi32(sum, x, four_bytes(y));
#endif
  }
  static I nibble_total(I sum) { return sum; }
};

/// Vnni with the operations that matmul_winograd.h needs.
struct VnniWinograd : Vnni {
  static constexpr Isa kIsa = Isa::kVnniWinograd;
  static constexpr bool kWinograd = true;

  static I add_16(I x, I y) { return _mm512_add_epi16(x, y); }
  /// sum += x . y per lane, of pairs.
  [[gnu::always_inline]] static void add_products(I& sum, I x, I y) {
#if defined(__AVX512VNNI__)
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(y));  // in assembly: see dot()
#else
    sum = _mm512_dpwssd_epi32(sum, x, y);
#endif
  }

  /// The sum of q[i] q[i + 2] modulo 2^32 over both of every other pair of the 32 integers at q.
  static std::int32_t crossed(const std::int16_t* q) {
    constexpr auto kSwapPairs = static_cast<_MM_PERM_ENUM>(0xB1);
    const I x = load_i(q);
    return reduce_add_i(
        _mm512_maskz_mov_epi32(0x5555, _mm512_madd_epi16(x, _mm512_shuffle_epi32(x, kSwapPairs))));
  }
};

}  // namespace
}  // namespace partita::internal
