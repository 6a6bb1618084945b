// Sixteen lanes on AVX-512: one register. Same interface as simd_avx2.h. Includes no intrinsics header, so
// that a test can provide an emulation of AVX-512.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/kernels/isa.h"

namespace partita::internal {
namespace {

struct Avx512 {
  static constexpr Isa kIsa = Isa::kAvx512;
  static constexpr int kTileRows = 12;

  using F = __m512;
  using I = __m512i;

  static F set(float x) { return _mm512_set1_ps(x); }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F x) { _mm512_storeu_ps(p, x); }
  static F load_f16(const void* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  static void store_f16(void* p, F x) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static F load_bf16(const void* p) {
    const __m256i h = _mm256_loadu_si256(static_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
  }
  static F load_u8(const void* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
  }
  /// Bits [shift, shift + 4) of sixteen bytes.
  static F load_u4(const void* p, int shift) {
    const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(p));
    const __m128i four = _mm_and_si128(_mm_srli_epi16(bytes, shift), _mm_set1_epi8(15));
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(four));
  }
  /// 2^-8 times sixteen unsigned floats of four exponent and three fraction bits (ue4m3_scale); 0 <= bytes <
  /// 128.
  static F load_e4m3(const void* p) {
    const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(p));
    return _mm512_cvtph_ps(_mm256_slli_epi16(_mm256_cvtepu8_epi16(bytes), 7));
  }
  static F load_i8(const void* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
  }

  static F add(F x, F y) { return _mm512_add_ps(x, y); }
  static F sub(F x, F y) { return _mm512_sub_ps(x, y); }
  static F mul(F x, F y) { return _mm512_mul_ps(x, y); }
  static F div(F x, F y) { return _mm512_div_ps(x, y); }
  /// y where either is NaN.
  static F max(F x, F y) { return _mm512_max_ps(x, y); }
  static F min(F x, F y) { return _mm512_min_ps(x, y); }
  /// x * y + z, rounded once.
  static F fma(F x, F y, F z) { return _mm512_fmadd_ps(x, y, z); }
  static F abs(F x) {
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7FFFFFFF)));
  }
  static F round(F x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  /// 2^n for whole n in [-127, 128]: 0 at -127, infinity at 128.
  static F power_of_two(F n) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
  }
  /// x in lanes [first, last), `other` elsewhere.
  static F keep(F x, int first, int last, F other) {
    const unsigned below_last = last <= 0 ? 0U : last >= 16 ? 0xFFFFU : (1U << last) - 1;
    const unsigned below_first = first <= 0 ? 0U : first >= 16 ? 0xFFFFU : (1U << first) - 1;
    return _mm512_mask_blend_ps(static_cast<__mmask16>(below_last & ~below_first), other, x);
  }
  static __m256 half(F x, int which) {
    const __m512d d = _mm512_castps_pd(x);
    return _mm256_castpd_ps(which == 0 ? _mm512_extractf64x4_pd(d, 0) : _mm512_extractf64x4_pd(d, 1));
  }
  static bool has_nan(F x) { return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q) != 0; }
  /// ((i, i+8), then (i, i+4), (i, i+2), (i, i+1)): the order every instruction set uses.
  static float reduce_add(F x) {
    const __m256 eight = _mm256_add_ps(half(x, 0), half(x, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
  }
  static float reduce_max(F x) {
    const __m256 eight = _mm256_max_ps(half(x, 0), half(x, 1));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  }

  static I zero() { return _mm512_setzero_si512(); }
  static I set_i(std::int32_t x) { return _mm512_set1_epi32(x); }
  static I load_i(const void* p) { return _mm512_loadu_si512(p); }
  static void store_i(void* p, I x) { _mm512_storeu_si512(p, x); }
  /// The pair of int16 at p, in every lane.
  static I pair(const std::int16_t* p) {
    std::int32_t both;
    std::memcpy(&both, p, 4);
    return _mm512_set1_epi32(both);
  }
  /// A codebook for look_up_pairs(), as int16, twice.
  static I load_codebook(const std::int8_t* p) {
    const __m128i sixteen = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm512_cvtepi8_epi16(_mm256_broadcastsi128_si256(sixteen));
  }
  /// The four pairs of int16 of a word of eight nibbles (panels.h). The fifth bit of an index does not
  /// matter.
  static void look_up_pairs(I codebook, I word, I (&pairs)[4]) {
    pairs[0] = _mm512_permutexvar_epi16(word, codebook);
    pairs[1] = _mm512_permutexvar_epi16(shift_right(word, 4), codebook);
    pairs[2] = _mm512_permutexvar_epi16(shift_right(word, 8), codebook);
    pairs[3] = _mm512_permutexvar_epi16(shift_right(word, 12), codebook);
  }
  static I bits_and(I x, I y) { return _mm512_and_si512(x, y); }
  static I bits_or(I x, I y) { return _mm512_or_si512(x, y); }
  static I shift_right(I x, int n) { return _mm512_srli_epi32(x, static_cast<unsigned>(n)); }
  static I shift_left(I x, int n) { return _mm512_slli_epi32(x, static_cast<unsigned>(n)); }
  /// The low and the high int16 of every pair, as int32.
  static I low_16(I x) { return _mm512_srai_epi32(_mm512_slli_epi32(x, 16), 16); }
  static I high_16(I x) { return _mm512_srai_epi32(x, 16); }
  static I add_i(I x, I y) { return _mm512_add_epi32(x, y); }
  static I sub_i(I x, I y) { return _mm512_sub_epi32(x, y); }
  static I sub_16(I x, I y) { return _mm512_sub_epi16(x, y); }
  /// sum += x.lo * y[0] + x.hi * y[1] per lane, in int32.
  static void dot(I& sum, I x, const std::int16_t* y) {
    sum = _mm512_add_epi32(sum, _mm512_madd_epi16(x, pair(y)));
  }
  /// The four bytes at p, in every lane.
  static I four_bytes(const std::int8_t* p) {
    std::int32_t four;
    std::memcpy(&four, p, 4);
    return _mm512_set1_epi32(four);
  }
  /// sum += x.bytes . y[0..3] per lane, for bytes 0 .. 15 of x; nibble_total() turns a sum of up to eight
  /// such products into int32.
  static void nibble_dot(I& sum, I x, const std::int8_t* y) {
    sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(x, four_bytes(y)));
  }
  static I nibble_total(I sum) { return _mm512_madd_epi16(sum, _mm512_set1_epi32(0x00010001)); }
  static F to_float(I x) { return _mm512_cvtepi32_ps(x); }
  static I to_int(F x) { return _mm512_cvtps_epi32(x); }
  static std::int32_t reduce_add_i(I x) {
    const __m256i eight = _mm256_add_epi32(_mm512_extracti64x4_epi64(x, 0), _mm512_extracti64x4_epi64(x, 1));
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
  static void store_i8(void* p, I x) { _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x)); }
  /// 16 integers as int16, each eight in the order 0 2 4 6 1 3 5 7.
  static void store_pairs(std::int16_t* p, I x) {
    const __m256i order =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_shuffle_epi8(_mm512_cvtsepi32_epi16(x), order));
  }
};

}  // namespace
}  // namespace partita::internal
