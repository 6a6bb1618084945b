// The AVX-512 instructions that engine/kernels/simd_avx512.h uses, as plain loops, for processors that lack
// them. Declared in the namespace of the kernels, so that they hide the intrinsics there. The 256-bit part of
// that header runs natively, so this needs AVX2.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>

// Macros in unoptimised builds.
#undef _mm512_cmp_ps_mask
#undef _mm512_cvtps_ph
#undef _mm512_extractf64x4_pd
#undef _mm512_extracti64x4_epi64
#undef _mm512_roundscale_ps
#undef _mm512_shuffle_epi32
#undef _mm512_slli_epi32
#undef _mm512_srai_epi32
#undef _mm512_srli_epi32

namespace partita::internal {

struct __m512 {
  float x[16];
};
struct __m512i {
  std::int32_t x[16];
};
struct __m512d {
  double x[8];
};

namespace emulated {

template <class To, class From>
To as(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <class F>
__m512 floats(F&& f) {
  __m512 r;
  for (int i = 0; i < 16; ++i) r.x[i] = f(i);
  return r;
}

template <class F>
__m512i ints(F&& f) {
  __m512i r;
  for (int i = 0; i < 16; ++i) r.x[i] = static_cast<std::int32_t>(f(i));
  return r;
}

struct Halves {
  std::int16_t x[32];
};

inline std::int64_t pair_product(const __m512i& a, const __m512i& b, int i) {
  const auto p = as<Halves>(a), q = as<Halves>(b);
  return std::int64_t{p.x[2 * i]} * q.x[2 * i] + std::int64_t{p.x[2 * i + 1]} * q.x[2 * i + 1];
}

/// The unmapped bytes of a vector of `n` elements of type T.
template <class T, int N>
struct Elements {
  T x[N];
};

template <class T, class Register>
Elements<T, static_cast<int>(sizeof(Register) / sizeof(T))> elements(const Register& r) {
  return as<Elements<T, static_cast<int>(sizeof(Register) / sizeof(T))>>(r);
}

}  // namespace emulated

[[gnu::noinline]] inline __m512 _mm512_set1_ps(float v) {
  return emulated::floats([&](int) { return v; });
}
[[gnu::noinline]] inline __m512 _mm512_loadu_ps(const void* p) {
  __m512 r;
  std::memcpy(&r, p, sizeof r);
  return r;
}
[[gnu::noinline]] inline void _mm512_storeu_ps(void* p, __m512 v) { std::memcpy(p, &v, sizeof v); }
[[gnu::noinline]] inline __m512 _mm512_cvtph_ps(__m256i h) {
  const auto half = emulated::elements<std::uint16_t>(h);
  return emulated::floats([&](int i) { return _cvtsh_ss(half.x[i]); });
}
[[gnu::noinline]] inline __m256i _mm512_cvtps_ph(__m512 v, int) {
  std::uint16_t half[16];
  for (int i = 0; i < 16; ++i) half[i] = _cvtss_sh(v.x[i], _MM_FROUND_TO_NEAREST_INT);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(half));
}
[[gnu::noinline]] inline __m512 _mm512_add_ps(__m512 a, __m512 b) {
  return emulated::floats([&](int i) { return a.x[i] + b.x[i]; });
}
[[gnu::noinline]] inline __m512 _mm512_sub_ps(__m512 a, __m512 b) {
  return emulated::floats([&](int i) { return a.x[i] - b.x[i]; });
}
[[gnu::noinline]] inline __m512 _mm512_mul_ps(__m512 a, __m512 b) {
  return emulated::floats([&](int i) { return a.x[i] * b.x[i]; });
}
[[gnu::noinline]] inline __m512 _mm512_div_ps(__m512 a, __m512 b) {
  return emulated::floats([&](int i) { return a.x[i] / b.x[i]; });
}
[[gnu::noinline]] inline __m512 _mm512_max_ps(__m512 a, __m512 b) {
  return emulated::floats([&](int i) { return a.x[i] > b.x[i] ? a.x[i] : b.x[i]; });
}
[[gnu::noinline]] inline __m512 _mm512_min_ps(__m512 a, __m512 b) {
  return emulated::floats([&](int i) { return a.x[i] < b.x[i] ? a.x[i] : b.x[i]; });
}
[[gnu::noinline]] inline __m512 _mm512_fmadd_ps(__m512 a, __m512 b, __m512 c) {
  return emulated::floats([&](int i) { return std::fma(a.x[i], b.x[i], c.x[i]); });
}
[[gnu::noinline]] inline __m512 _mm512_roundscale_ps(__m512 a, int) {
  return emulated::floats([&](int i) { return std::nearbyint(a.x[i]); });
}
[[gnu::noinline]] inline __m512 _mm512_mask_blend_ps(__mmask16 mask, __m512 a, __m512 b) {
  return emulated::floats([&](int i) { return (mask >> i & 1) != 0 ? b.x[i] : a.x[i]; });
}
[[gnu::noinline]] inline __mmask16 _mm512_cmp_ps_mask(__m512 a, __m512 b, int) {  // only _CMP_UNORD_Q is used
  unsigned mask = 0;
  for (int i = 0; i < 16; ++i) mask |= (std::isnan(a.x[i]) || std::isnan(b.x[i]) ? 1U : 0U) << i;
  return static_cast<__mmask16>(mask);
}
[[gnu::noinline]] inline __m512i _mm512_castps_si512(__m512 a) { return emulated::as<__m512i>(a); }
[[gnu::noinline]] inline __m512 _mm512_castsi512_ps(__m512i a) { return emulated::as<__m512>(a); }
[[gnu::noinline]] inline __m512d _mm512_castps_pd(__m512 a) { return emulated::as<__m512d>(a); }
[[gnu::noinline]] inline __m256d _mm512_extractf64x4_pd(__m512d a, int half) {
  return _mm256_loadu_pd(a.x + 4 * half);
}
[[gnu::noinline]] inline __m256i _mm512_extracti64x4_epi64(__m512i a, int half) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a.x + 8 * half));
}

[[gnu::noinline]] inline __m512i _mm512_setzero_si512() {
  return emulated::ints([](int) { return 0; });
}
[[gnu::noinline]] inline __m512i _mm512_set1_epi32(int v) {
  return emulated::ints([&](int) { return v; });
}
[[gnu::noinline]] inline __m512i _mm512_loadu_si512(const void* p) {
  __m512i r;
  std::memcpy(&r, p, sizeof r);
  return r;
}
[[gnu::noinline]] inline void _mm512_storeu_si512(void* p, __m512i v) { std::memcpy(p, &v, sizeof v); }
[[gnu::noinline]] inline __m512i _mm512_and_si512(__m512i a, __m512i b) {
  return emulated::ints([&](int i) { return a.x[i] & b.x[i]; });
}
[[gnu::noinline]] inline __m512i _mm512_or_si512(__m512i a, __m512i b) {
  return emulated::ints([&](int i) { return a.x[i] | b.x[i]; });
}
[[gnu::noinline]] inline __m512i _mm512_srli_epi32(__m512i a, unsigned n) {
  return emulated::ints([&](int i) { return static_cast<std::uint32_t>(a.x[i]) >> n; });
}
[[gnu::noinline]] inline __m512i _mm512_slli_epi32(__m512i a, unsigned n) {
  return emulated::ints([&](int i) { return static_cast<std::uint32_t>(a.x[i]) << n; });
}
[[gnu::noinline]] inline __m512i _mm512_srai_epi32(__m512i a, unsigned n) {
  return emulated::ints([&](int i) { return a.x[i] >> n; });
}
[[gnu::noinline]] inline __m512i _mm512_cvtepi8_epi16(__m256i a) {
  std::int8_t x[32];
  std::memcpy(x, &a, sizeof x);
  emulated::Halves halves;
  for (int i = 0; i < 32; ++i) halves.x[i] = x[i];
  return emulated::as<__m512i>(halves);
}
[[gnu::noinline]] inline __m512i _mm512_permutexvar_epi16(__m512i at, __m512i a) {
  const auto x = emulated::as<emulated::Halves>(a), index = emulated::as<emulated::Halves>(at);
  emulated::Halves halves;
  for (int i = 0; i < 32; ++i) halves.x[i] = x.x[index.x[i] & 31];
  return emulated::as<__m512i>(halves);
}
[[gnu::noinline]] inline __m512i _mm512_add_epi32(__m512i a, __m512i b) {
  return emulated::ints([&](int i) { return std::int64_t{a.x[i]} + b.x[i]; });
}
[[gnu::noinline]] inline __m512i _mm512_sub_epi32(__m512i a, __m512i b) {
  return emulated::ints([&](int i) { return std::int64_t{a.x[i]} - b.x[i]; });
}
[[gnu::noinline]] inline __m512i _mm512_sub_epi16(__m512i a, __m512i b) {
  auto p = emulated::as<emulated::Halves>(a);
  const auto q = emulated::as<emulated::Halves>(b);
  for (int i = 0; i < 32; ++i) p.x[i] = static_cast<std::int16_t>(p.x[i] - q.x[i]);
  return emulated::as<__m512i>(p);
}
[[gnu::noinline]] inline __m512i _mm512_madd_epi16(__m512i a, __m512i b) {
  return emulated::ints([&](int i) { return emulated::pair_product(a, b, i); });
}
/// Unsigned bytes times signed ones, in pairs that saturate.
[[gnu::noinline]] inline __m512i _mm512_maddubs_epi16(__m512i a, __m512i b) {
  std::uint8_t x[64];
  std::int8_t y[64];
  std::memcpy(x, &a, sizeof x);
  std::memcpy(y, &b, sizeof y);
  emulated::Halves sums;
  for (int i = 0; i < 32; ++i) {
    const int sum = x[2 * i] * y[2 * i] + x[2 * i + 1] * y[2 * i + 1];
    sums.x[i] = static_cast<std::int16_t>(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
  }
  return emulated::as<__m512i>(sums);
}
[[gnu::noinline]] inline __m512i _mm512_dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
  std::uint8_t x[64];
  std::int8_t y[64];
  std::memcpy(x, &a, sizeof x);
  std::memcpy(y, &b, sizeof y);
  return emulated::ints([&](int i) {
    std::int64_t total = sum.x[i];
    for (int k = 0; k < 4; ++k) total += x[4 * i + k] * y[4 * i + k];
    return total;
  });
}
[[gnu::noinline]] inline __m512i _mm512_dpwssd_epi32(__m512i sum, __m512i a, __m512i b) {
  return emulated::ints([&](int i) { return sum.x[i] + emulated::pair_product(a, b, i); });
}
[[gnu::noinline]] inline __m512 _mm512_cvtepi32_ps(__m512i a) {
  return emulated::floats([&](int i) { return static_cast<float>(a.x[i]); });
}
[[gnu::noinline]] inline __m512i _mm512_cvtps_epi32(__m512 a) {
  return emulated::ints(
      [&](int i) { return std::abs(a.x[i]) < 2147483648.0F ? std::lrint(a.x[i]) : std::int64_t{INT32_MIN}; });
}
[[gnu::noinline]] inline __m512i _mm512_cvtepu8_epi32(__m128i a) {
  const auto bytes = emulated::elements<std::uint8_t>(a);
  return emulated::ints([&](int i) { return bytes.x[i]; });
}
[[gnu::noinline]] inline __m512i _mm512_cvtepi8_epi32(__m128i a) {
  const auto bytes = emulated::elements<std::int8_t>(a);
  return emulated::ints([&](int i) { return bytes.x[i]; });
}
[[gnu::noinline]] inline __m512i _mm512_cvtepu16_epi32(__m256i a) {
  const auto halves = emulated::elements<std::uint16_t>(a);
  return emulated::ints([&](int i) { return halves.x[i]; });
}
[[gnu::noinline]] inline __m256i _mm512_cvtsepi32_epi16(__m512i a) {
  std::int16_t halves[16];
  for (int i = 0; i < 16; ++i) {
    halves[i] = static_cast<std::int16_t>(a.x[i] > 32767 ? 32767 : a.x[i] < -32768 ? -32768 : a.x[i]);
  }
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves));
}

[[gnu::noinline]] inline __m128i _mm512_cvtepi32_epi8(__m512i a) {
  std::int8_t bytes[16];
  for (int i = 0; i < 16; ++i) bytes[i] = static_cast<std::int8_t>(a.x[i]);
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}
[[gnu::noinline]] inline __m512i _mm512_add_epi16(__m512i a, __m512i b) {
  auto x = emulated::as<emulated::Halves>(a);
  const auto y = emulated::as<emulated::Halves>(b);
  for (int i = 0; i < 32; ++i) x.x[i] = static_cast<std::int16_t>(x.x[i] + y.x[i]);
  return emulated::as<__m512i>(x);
}
[[gnu::noinline]] inline __m512i _mm512_maskz_mov_epi32(__mmask16 mask, __m512i a) {
  return emulated::ints([&](int i) { return (mask >> i & 1) != 0 ? a.x[i] : 0; });
}
[[gnu::noinline]] inline __m512i _mm512_shuffle_epi32(__m512i a, int order) {
  return emulated::ints([&](int i) { return a.x[i / 4 * 4 + (order >> i % 4 * 2 & 3)]; });
}

}  // namespace partita::internal
