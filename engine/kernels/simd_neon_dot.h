// Neon with byte dot products (udot and sdot of ARMv8.2), for matmul_bytes.h.
#pragma once

#include "engine/kernels/simd_neon.h"

namespace partita::internal {
namespace {

struct NeonDot : Neon {
  static constexpr Isa kIsa = Isa::kNeonDot;

  /// Eight activations as bytes: the low bytes of columns 0..3 and of 4..7, then their high bytes.
  using Columns = uint8x16_t;

  /// From pair order, 0 2 4 6 1 3 5 7.
  static Columns columns(const std::int16_t* p) {
    constexpr std::uint8_t kOrder[16] = {0, 8, 2, 10, 4, 12, 6, 14, 1, 9, 3, 11, 5, 13, 7, 15};
    return vqtbl1q_u8(vreinterpretq_u8_s16(vld1q_s16(p)), vld1q_u8(kOrder));
  }
  /// sum + the four products per lane of w's bytes with the low or the high bytes of four columns: the first
  /// or the second (Half) of x. All are unsigned in dot_low, signed in dot_high.
  template <int Half>
  static I dot_low(I sum, I w, Columns x) {
    return each<I>(
        [x](int32x4_t s, int32x4_t v) {
          return vreinterpretq_s32_u32(
              vdotq_laneq_u32(vreinterpretq_u32_s32(s), vreinterpretq_u8_s32(v), x, Half));
        },
        sum, w);
  }
  template <int Half>
  static I dot_high(I sum, I w, Columns x) {
    I result = each<I>(
        [x](int32x4_t s, int32x4_t v) {
          return vdotq_laneq_s32(s, vreinterpretq_s8_s32(v), vreinterpretq_s8_u8(x), 2 + Half);
        },
        sum, w);
    // As in Avx2::dot: without it g++ unpacks many columns at once and spills.
    asm volatile("" : "+w"(result.a), "+w"(result.b), "+w"(result.c), "+w"(result.d));
    return result;
  }
  static void nibble_dot(I& sum, I x, const std::int8_t* y) {
    std::int32_t four;
    std::memcpy(&four, y, 4);
    const int8x16_t bytes = vreinterpretq_s8_s32(vdupq_n_s32(four));
    sum = each<I>([bytes](int32x4_t s, int32x4_t v) { return vdotq_s32(s, vreinterpretq_s8_s32(v), bytes); },
                  sum, x);
  }
  static I bits_xor(I x, I y) { return each<I>(veorq_s32, x, y); }

  /// The sum of N int16, and of their low bytes.
  template <int N>
  static std::int32_t sum(const std::int16_t* p) {
    int32x4_t total = vdupq_n_s32(0);
    for (int i = 0; i < N; i += 8) total = vpadalq_s16(total, vld1q_s16(p + i));
    return vaddvq_s32(total);
  }
  template <int N>
  static std::int32_t sum_low(const std::int16_t* p) {
    int32x4_t total = vdupq_n_s32(0);
    for (int i = 0; i < N; i += 8) total = vpadalq_s16(total, vandq_s16(vld1q_s16(p + i), vdupq_n_s16(0xFF)));
    return vaddvq_s32(total);
  }
};

}  // namespace
}  // namespace partita::internal
