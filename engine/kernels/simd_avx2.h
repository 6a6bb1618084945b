// Sixteen lanes on AVX2: two registers. A vector type for the kernel templates; simd_avx512.h has the same
// interface.
//
// In an unnamed namespace on purpose: the file of every instruction set gets its own types, and so its own
// template instances.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/kernels/isa.h"

namespace partita::internal {
namespace {

struct Avx2 {
  static constexpr Isa kIsa = Isa::kAvx2;
  static constexpr int kTileRows = 6;  // rows whose accumulators fit the registers

  struct F {  // 16 x float: lanes 0..7, 8..15
    __m256 a, b;
  };
  struct I {  // 16 x int32, or 16 pairs of int16
    __m256i a, b;
  };

  static F set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, F x) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
  }
  static F load_f16(const void* p) {
    const auto* h = static_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(h)), _mm256_cvtph_ps(_mm_loadu_si128(h + 1))};
  }
  static void store_f16(void* p, F x) {
    auto* h = static_cast<__m128i*>(p);
    _mm_storeu_si128(h, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(h + 1, _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
  }
  static F load_bf16(const void* p) {
    const auto* h = static_cast<const __m128i*>(p);
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(h)), 16)),
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(h + 1)), 16))};
  }
  static F load_u8(const void* p) {
    const auto* h = static_cast<const __m128i*>(p);
    return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(h))),
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(_mm_loadu_si128(h), 8)))};
  }
  /// Bits [shift, shift + 4) of sixteen bytes.
  static F load_u4(const void* p, int shift) {
    const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(p));
    const __m128i four = _mm_and_si128(_mm_srli_epi16(bytes, shift), _mm_set1_epi8(15));
    return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(four)),
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(four, 8)))};
  }
  /// 2^-8 times sixteen unsigned floats of four exponent and three fraction bits (ue4m3_scale); 0 <= bytes <
  /// 128.
  static F load_e4m3(const void* p) {
    const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(p));
    const __m256i halves = _mm256_slli_epi16(_mm256_cvtepu8_epi16(bytes), 7);
    return {_mm256_cvtph_ps(_mm256_castsi256_si128(halves)),
            _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1))};
  }
  static F load_i8(const void* p) {
    const auto* h = static_cast<const __m128i*>(p);
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(h))),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(_mm_loadu_si128(h), 8)))};
  }

  static F add(F x, F y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
  static F sub(F x, F y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
  static F mul(F x, F y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  static F div(F x, F y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
  /// y where either is NaN.
  static F max(F x, F y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
  static F min(F x, F y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
  /// x * y + z, rounded once.
  static F fma(F x, F y, F z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
  static F abs(F x) {
    const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
    return {_mm256_and_ps(x.a, mask), _mm256_and_ps(x.b, mask)};
  }
  static F round(F x) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(x.a, kNearest), _mm256_round_ps(x.b, kNearest)};
  }
  /// 2^n for whole n in [-127, 128]: 0 at -127, infinity at 128.
  static F power_of_two(F n) {
    const __m256i bias = _mm256_set1_epi32(127);
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n.a), bias), 23)),
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n.b), bias), 23))};
  }
  /// x in lanes [first, last), `other` elsewhere.
  static F keep(F x, int first, int last, F other) {
    const __m256i low = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i high = _mm256_add_epi32(low, _mm256_set1_epi32(8));
    const __m256i from = _mm256_set1_epi32(first - 1), to = _mm256_set1_epi32(last);
    const __m256i in_a = _mm256_and_si256(_mm256_cmpgt_epi32(low, from), _mm256_cmpgt_epi32(to, low));
    const __m256i in_b = _mm256_and_si256(_mm256_cmpgt_epi32(high, from), _mm256_cmpgt_epi32(to, high));
    return {_mm256_blendv_ps(other.a, x.a, _mm256_castsi256_ps(in_a)),
            _mm256_blendv_ps(other.b, x.b, _mm256_castsi256_ps(in_b))};
  }
  static bool has_nan(F x) {
    return (_mm256_movemask_ps(_mm256_cmp_ps(x.a, x.a, _CMP_UNORD_Q)) |
            _mm256_movemask_ps(_mm256_cmp_ps(x.b, x.b, _CMP_UNORD_Q))) != 0;
  }
  /// ((i, i+8), then (i, i+4), (i, i+2), (i, i+1)): the order every instruction set uses.
  static float reduce_add(F x) {
    const __m256 eight = _mm256_add_ps(x.a, x.b);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
  }
  static float reduce_max(F x) {
    const __m256 eight = _mm256_max_ps(x.a, x.b);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  }

  static I zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static I set_i(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  static I load_i(const void* p) {
    const auto* v = static_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
  }
  static void store_i(void* p, I x) {
    auto* v = static_cast<__m256i*>(p);
    _mm256_storeu_si256(v, x.a);
    _mm256_storeu_si256(v + 1, x.b);
  }
  /// The pair of int16 at p, in every lane.
  static I pair(const std::int16_t* p) {
    std::int32_t both;
    std::memcpy(&both, p, 4);
    const __m256i v = _mm256_set1_epi32(both);
    return {v, v};
  }
  /// A codebook for look_up().
  static I load_codebook(const std::int8_t* p) {
    const __m256i v = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return {v, v};
  }
  /// The values of every byte, which is below 16.
  static I look_up(I codebook, I x) {
    return {_mm256_shuffle_epi8(codebook.a, x.a), _mm256_shuffle_epi8(codebook.b, x.b)};
  }
  /// Bytes 0 and 2, or 1 and 3, of every four as int16.
  static I even_bytes(I x) {
    return {_mm256_srai_epi16(_mm256_slli_epi16(x.a, 8), 8), _mm256_srai_epi16(_mm256_slli_epi16(x.b, 8), 8)};
  }
  static I odd_bytes(I x) { return {_mm256_srai_epi16(x.a, 8), _mm256_srai_epi16(x.b, 8)}; }
  static I bits_and(I x, I y) { return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)}; }
  static I bits_or(I x, I y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
  static I shift_right(I x, int n) { return {_mm256_srli_epi32(x.a, n), _mm256_srli_epi32(x.b, n)}; }
  static I shift_left(I x, int n) { return {_mm256_slli_epi32(x.a, n), _mm256_slli_epi32(x.b, n)}; }
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
    return {_mm256_srai_epi32(_mm256_slli_epi32(x.a, 16), 16),
            _mm256_srai_epi32(_mm256_slli_epi32(x.b, 16), 16)};
  }
  static I high_16(I x) { return {_mm256_srai_epi32(x.a, 16), _mm256_srai_epi32(x.b, 16)}; }
  static I add_i(I x, I y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
  static I sub_i(I x, I y) { return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)}; }
  static I sub_16(I x, I y) { return {_mm256_sub_epi16(x.a, y.a), _mm256_sub_epi16(x.b, y.b)}; }
  /// sum += x.lo * y[0] + x.hi * y[1] per lane, in int32.
  static void dot(I& sum, I x, const std::int16_t* y) {
    const I both = pair(y);
    sum.a = _mm256_add_epi32(sum.a, _mm256_madd_epi16(x.a, both.a));
    sum.b = _mm256_add_epi32(sum.b, _mm256_madd_epi16(x.b, both.b));
    // Without this fence g++ computes the products of all rows of a tile first and spills the sums.
    asm volatile("" : "+x"(sum.a), "+x"(sum.b));
  }
  /// sum += x.bytes . y[0..3] per lane, for bytes 0 .. 15 of x; nibble_total() turns a sum of up to eight
  /// such products into int32.
  static void nibble_dot(I& sum, I x, const std::int8_t* y) {
    std::int32_t four;
    std::memcpy(&four, y, 4);
    const __m256i bytes = _mm256_set1_epi32(four);
    sum.a = _mm256_add_epi16(sum.a, _mm256_maddubs_epi16(x.a, bytes));
    sum.b = _mm256_add_epi16(sum.b, _mm256_maddubs_epi16(x.b, bytes));
  }
  static I nibble_total(I sum) {
    const __m256i ones = _mm256_set1_epi16(1);
    return {_mm256_madd_epi16(sum.a, ones), _mm256_madd_epi16(sum.b, ones)};
  }
  static F to_float(I x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
  static I to_int(F x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
  static std::int32_t reduce_add_i(I x) {
    const __m256i eight = _mm256_add_epi32(x.a, x.b);
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
  }
  /// The sum of 16 int16.
  static std::int32_t sum_16(const std::int16_t* p) {
    const __m256i sixteen = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i eight = _mm256_madd_epi16(sixteen, _mm256_set1_epi16(1));
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
  }
  /// 16 integers within [-128, 127] as int8.
  static void store_i8(void* p, I x) {
    const __m256i sixteen = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xD8);
    _mm_storeu_si128(static_cast<__m128i*>(p),
                     _mm_packs_epi16(_mm256_castsi256_si128(sixteen), _mm256_extracti128_si256(sixteen, 1)));
  }
  /// 16 integers as int16, each eight in the order 0 2 4 6 1 3 5 7.
  static void store_pairs(std::int16_t* p, I x) {
    const __m256i order =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    const __m256i mixed = _mm256_packs_epi32(x.a, x.b);  // a0-3 b0-3 a4-7 b4-7
    const __m256i sixteen = _mm256_permute4x64_epi64(mixed, 0xD8);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_shuffle_epi8(sixteen, order));
  }
};

}  // namespace
}  // namespace partita::internal
