// Sixteen lanes on NEON (ASIMD of ARMv8): four registers. Same interface as simd_avx2.h.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/kernels/isa.h"

namespace partita::internal {
namespace {

struct Neon {
  static constexpr Isa kIsa = Isa::kNeon;
  static constexpr int kTileRows = 4;

  struct F {  // 16 x float: lanes 0..3, 4..7, 8..11, 12..15
    float32x4_t a, b, c, d;
  };
  struct I {  // 16 x int32, or 16 pairs of int16
    int32x4_t a, b, c, d;
  };

  /// f of every register of the arguments.
  template <class To, class Function, class... From>
  [[gnu::always_inline]] static To each(Function f, const From&... x) {
    return {f(x.a...), f(x.b...), f(x.c...), f(x.d...)};
  }

  static F set(float x) { return {vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x)}; }
  static F load(const float* p) {
    return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
  }
  static void store(float* p, F x) {
    vst1q_f32(p, x.a);
    vst1q_f32(p + 4, x.b);
    vst1q_f32(p + 8, x.c);
    vst1q_f32(p + 12, x.d);
  }
  /// Lanes 8 half .. 8 half + 7 of sixteen 16-bit values.
  static uint16x8_t load_eight(const void* p, int half) {
    uint16x8_t eight;
    std::memcpy(&eight, static_cast<const std::byte*>(p) + 16 * half, 16);
    return eight;
  }
  static F load_f16(const void* p) {
    const float16x8_t low = vreinterpretq_f16_u16(load_eight(p, 0));
    const float16x8_t high = vreinterpretq_f16_u16(load_eight(p, 1));
    return {vcvt_f32_f16(vget_low_f16(low)), vcvt_high_f32_f16(low), vcvt_f32_f16(vget_low_f16(high)),
            vcvt_high_f32_f16(high)};
  }
  static void store_f16(void* p, F x) {
    const float16x8_t halves[2] = {vcvt_high_f16_f32(vcvt_f16_f32(x.a), x.b),
                                   vcvt_high_f16_f32(vcvt_f16_f32(x.c), x.d)};
    std::memcpy(p, halves, sizeof halves);
  }
  static F load_bf16(const void* p) {
    const uint16x8_t low = load_eight(p, 0), high = load_eight(p, 1);
    return {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(low), 16)),
            vreinterpretq_f32_u32(vshll_high_n_u16(low, 16)),
            vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(high), 16)),
            vreinterpretq_f32_u32(vshll_high_n_u16(high, 16))};
  }
  static F load_u8(const void* p) { return from_u8(vld1q_u8(static_cast<const std::uint8_t*>(p))); }
  /// Bits [shift, shift + 4) of sixteen bytes.
  static F load_u4(const void* p, int shift) {
    const uint8x16_t bytes = vld1q_u8(static_cast<const std::uint8_t*>(p));
    return from_u8(vandq_u8(vshlq_u8(bytes, vdupq_n_s8(static_cast<std::int8_t>(-shift))), vdupq_n_u8(15)));
  }
  /// 2^-8 times sixteen unsigned floats of four exponent and three fraction bits (ue4m3_scale); 0 <= bytes <
  /// 128.
  static F load_e4m3(const void* p) {
    const uint8x16_t bytes = vld1q_u8(static_cast<const std::uint8_t*>(p));
    const uint16x8_t halves[2] = {vshll_n_u8(vget_low_u8(bytes), 7), vshll_high_n_u8(bytes, 7)};
    return load_f16(halves);
  }
  static F from_u8(uint8x16_t bytes) {
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_high_u8(bytes);
    return {vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))), vcvtq_f32_u32(vmovl_high_u16(low)),
            vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))), vcvtq_f32_u32(vmovl_high_u16(high))};
  }
  static F load_i8(const void* p) {
    const int8x16_t bytes = vld1q_s8(static_cast<const std::int8_t*>(p));
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))};
  }

  static F add(F x, F y) { return each<F>(vaddq_f32, x, y); }
  static F sub(F x, F y) { return each<F>(vsubq_f32, x, y); }
  static F mul(F x, F y) { return each<F>(vmulq_f32, x, y); }
  static F div(F x, F y) { return each<F>(vdivq_f32, x, y); }
  /// y if either is NaN (vmaxq and vminq would return NaN).
  static float32x4_t max_4(float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }
  static float32x4_t min_4(float32x4_t x, float32x4_t y) { return vbslq_f32(vcltq_f32(x, y), x, y); }
  static F max(F x, F y) { return each<F>(max_4, x, y); }
  static F min(F x, F y) { return each<F>(min_4, x, y); }
  /// x * y + z, rounded once.
  static F fma(F x, F y, F z) { return each<F>(vfmaq_f32, z, x, y); }
  static F abs(F x) { return each<F>(vabsq_f32, x); }
  static F round(F x) { return each<F>(vrndnq_f32, x); }
  /// 2^n for whole n in [-127, 128]: 0 at -127, infinity at 128.
  static F power_of_two(F n) {
    return each<F>(
        [](float32x4_t x) {
          return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(x), vdupq_n_s32(127)), 23));
        },
        n);
  }
  /// x in lanes [first, last), `other` elsewhere.
  static F keep(F x, int first, int last, F other) {
    constexpr std::int32_t kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int32x4_t from = vdupq_n_s32(first), to = vdupq_n_s32(last);
    return each<F>(
        [&](int32x4_t lane, float32x4_t in, float32x4_t out) {
          return vbslq_f32(vandq_u32(vcgeq_s32(lane, from), vcltq_s32(lane, to)), in, out);
        },
        load_i(kLane), x, other);
  }
  static bool has_nan(F x) {
    const auto usual = each<F>([](float32x4_t v) { return vreinterpretq_f32_u32(vceqq_f32(v, v)); }, x);
    const auto bits = [](float32x4_t v) { return vreinterpretq_u32_f32(v); };
    return vminvq_u32(vandq_u32(vandq_u32(bits(usual.a), bits(usual.b)),
                                vandq_u32(bits(usual.c), bits(usual.d)))) == 0;
  }
  /// ((i, i+8), then (i, i+4), (i, i+2), (i, i+1)): the order every instruction set uses.
  static float reduce_add(F x) {
    const float32x4_t four = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
  static float reduce_max(F x) {
    const float32x4_t four = max_4(max_4(x.a, x.c), max_4(x.b, x.d));
    const float32x4_t two = max_4(four, vextq_f32(four, four, 2));
    return vgetq_lane_f32(max_4(two, vextq_f32(two, two, 1)), 0);
  }

  static I zero() { return set_i(0); }
  static I set_i(std::int32_t x) { return {vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x)}; }
  static I load_i(const void* p) {
    const auto* v = static_cast<const std::int32_t*>(p);
    return {vld1q_s32(v), vld1q_s32(v + 4), vld1q_s32(v + 8), vld1q_s32(v + 12)};
  }
  static void store_i(void* p, I x) {
    auto* v = static_cast<std::int32_t*>(p);
    vst1q_s32(v, x.a);
    vst1q_s32(v + 4, x.b);
    vst1q_s32(v + 8, x.c);
    vst1q_s32(v + 12, x.d);
  }
  /// The pair of int16 at p, in every lane.
  static I pair(const std::int16_t* p) {
    std::int32_t both;
    std::memcpy(&both, p, 4);
    return set_i(both);
  }
  /// A codebook for look_up().
  static I load_codebook(const std::int8_t* p) {
    const int32x4_t v = vreinterpretq_s32_s8(vld1q_s8(p));
    return {v, v, v, v};
  }
  /// The values of every byte, which is below 16.
  static I look_up(I codebook, I x) {
    return each<I>(
        [](int32x4_t values, int32x4_t v) {
          return vreinterpretq_s32_s8(vqtbl1q_s8(vreinterpretq_s8_s32(values), vreinterpretq_u8_s32(v)));
        },
        codebook, x);
  }
  /// Bytes 0 and 2, or 1 and 3, of every four as int16.
  static I even_bytes(I x) {
    return each<I>(
        [](int32x4_t v) {
          return vreinterpretq_s32_s16(vshrq_n_s16(vshlq_n_s16(vreinterpretq_s16_s32(v), 8), 8));
        },
        x);
  }
  static I odd_bytes(I x) {
    return each<I>(
        [](int32x4_t v) { return vreinterpretq_s32_s16(vshrq_n_s16(vreinterpretq_s16_s32(v), 8)); }, x);
  }
  static I bits_and(I x, I y) { return each<I>(vandq_s32, x, y); }
  static I bits_or(I x, I y) { return each<I>(vorrq_s32, x, y); }
  // With the operators of the compiler: the intrinsics need constants, or a register of counts.
  static I shift_right(I x, int n) {
    return each<I>(
        [n](int32x4_t v) {
          return vreinterpretq_s32_u32(vreinterpretq_u32_s32(v) >> static_cast<std::uint32_t>(n));
        },
        x);
  }
  static I shift_left(I x, int n) {
    return each<I>([n](int32x4_t v) { return v << n; }, x);
  }
  /// The four pairs of int16 of a word of eight nibbles (panels.h).
  static void look_up_pairs(I codebook, I word, I (&pairs)[4]) {
    const I mask = set_i(0x0F0F0F0F);
    const I first = look_up(codebook, bits_and(word, mask));
    const I last = look_up(codebook, bits_and(shift_right(word, 4), mask));
    pairs[0] = even_bytes(first);
    pairs[1] = even_bytes(last);
    pairs[2] = odd_bytes(first);
    pairs[3] = odd_bytes(last);
  }
  /// The low and the high int16 of every pair, as int32.
  static I low_16(I x) {
    return each<I>([](int32x4_t v) { return vshrq_n_s32(vshlq_n_s32(v, 16), 16); }, x);
  }
  static I high_16(I x) {
    return each<I>([](int32x4_t v) { return vshrq_n_s32(v, 16); }, x);
  }
  static I add_i(I x, I y) { return each<I>(vaddq_s32, x, y); }
  static I sub_i(I x, I y) { return each<I>(vsubq_s32, x, y); }
  static I sub_16(I x, I y) {
    return each<I>(
        [](int32x4_t v, int32x4_t w) {
          return vreinterpretq_s32_s16(vsubq_s16(vreinterpretq_s16_s32(v), vreinterpretq_s16_s32(w)));
        },
        x, y);
  }
  /// sum += x.lo * y[0] + x.hi * y[1] per lane, in int32. The low halves of eight lanes and their high halves
  /// are placed side by side, once for all rows of a tile, so that no product needs a sum across lanes.
  static void dot(I& sum, I x, const std::int16_t* y) {
    const int16x4_t both = vget_low_s16(vreinterpretq_s16_s32(pair(y).a));
    const auto eight = [&](int32x4_t& first, int32x4_t& second, int32x4_t v, int32x4_t w) {
      const int16x8_t low = vuzp1q_s16(vreinterpretq_s16_s32(v), vreinterpretq_s16_s32(w));
      const int16x8_t high = vuzp2q_s16(vreinterpretq_s16_s32(v), vreinterpretq_s16_s32(w));
      first = vmlal_lane_s16(vmlal_lane_s16(first, vget_low_s16(low), both, 0), vget_low_s16(high), both, 1);
      second = vmlal_high_lane_s16(vmlal_high_lane_s16(second, low, both, 0), high, both, 1);
    };
    eight(sum.a, sum.b, x.a, x.b);
    eight(sum.c, sum.d, x.c, x.d);
  }
  /// sum += x.bytes . y[0..3] per lane, for bytes 0 .. 15 of x; nibble_total() turns a sum of up to eight
  /// such products into int32.
  static void nibble_dot(I& sum, I x, const std::int8_t* y) {
    std::int32_t four;
    std::memcpy(&four, y, 4);
    const int8x16_t bytes = vreinterpretq_s8_s32(vdupq_n_s32(four));
    sum = each<I>(
        [bytes](int32x4_t s, int32x4_t v) {
          const int8x16_t w = vreinterpretq_s8_s32(v);
          const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(bytes)), high = vmull_high_s8(w, bytes);
          return vpadalq_s16(s, vpaddq_s16(low, high));
        },
        sum, x);
  }
  static I nibble_total(I sum) { return sum; }
  static F to_float(I x) { return each<F>(vcvtq_f32_s32, x); }
  static I to_int(F x) { return each<I>(vcvtnq_s32_f32, x); }
  static std::int32_t reduce_add_i(I x) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(x.a, x.c), vaddq_s32(x.b, x.d)));
  }
  /// The sum of 16 int16.
  static std::int32_t sum_16(const std::int16_t* p) {
    return vaddlvq_s16(vld1q_s16(p)) + vaddlvq_s16(vld1q_s16(p + 8));
  }
  /// 16 integers within [-128, 127] as int8.
  static void store_i8(void* p, I x) {
    const auto eight = [](int32x4_t v, int32x4_t w) {
      return vqmovn_s16(vcombine_s16(vqmovn_s32(v), vqmovn_s32(w)));
    };
    vst1q_s8(static_cast<std::int8_t*>(p), vcombine_s8(eight(x.a, x.b), eight(x.c, x.d)));
  }
  /// 16 integers as int16, each eight in the order 0 2 4 6 1 3 5 7.
  static void store_pairs(std::int16_t* p, I x) {
    const auto eight = [](int32x4_t v, int32x4_t w) {
      const int16x4_t first = vqmovn_s32(v), second = vqmovn_s32(w);
      return vcombine_s16(vuzp1_s16(first, second), vuzp2_s16(first, second));
    };
    vst1q_s16(p, eight(x.a, x.b));
    vst1q_s16(p + 8, eight(x.c, x.d));
  }
};

}  // namespace
}  // namespace partita::internal
