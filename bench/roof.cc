#include "bench/roof.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "engine/kernels/panels.h"
#include "engine/kernels/sum_words.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define PARTITA_AVX2 [[gnu::target("avx2,fma")]]
#else
#define PARTITA_AVX2
#endif

namespace partita::internal {
namespace {

using Clock = std::chrono::steady_clock;

/// The best of several passes of at least a millisecond: units per second, if once() does `units` of work.
template <class F>
double best_rate(double units, F&& once) {
  double best = 0;
  for (int pass = 0; pass < 20; ++pass) {
    double runs = 0, seconds = 0;
    const auto start = Clock::now();
    do {
      once();
      ++runs;
      seconds = std::chrono::duration<double>(Clock::now() - start).count();
    } while (seconds < 1e-3);
    best = std::max(best, runs * units / seconds);
  }
  return best;
}

PARTITA_AVX2 std::uint64_t wide_sum(const std::byte* words, std::size_t n) {
  return sum_words(reinterpret_cast<const std::uint64_t*>(words), n);
}

#if defined(__x86_64__)
constexpr int kChains = 12;  // more than latency times throughput (4 or 5 cycles, two per cycle)
constexpr int kSteps = 1000;

[[gnu::target("avx2,fma")]] float fma_256() {
  __m256 sums[kChains];
  for (__m256& sum : sums) sum = _mm256_setzero_ps();
  const __m256 half = _mm256_set1_ps(0.5F);
  asm volatile("");  // prevents the compiler from calling this once
  for (int i = 0; i < kSteps; ++i) {
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, half, half);
  }
  for (int c = 1; c < kChains; ++c) sums[0] = _mm256_add_ps(sums[0], sums[c]);
  return _mm256_cvtss_f32(sums[0]);
}

[[gnu::target("avx512f")]] float fma_512() {
  __m512 sums[kChains];
  for (__m512& sum : sums) sum = _mm512_set1_ps(0.0F);
  const __m512 half = _mm512_set1_ps(0.5F);
  asm volatile("");  // prevents the compiler from calling this once
  for (int i = 0; i < kSteps; ++i) {
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, half, half);
  }
  for (int c = 1; c < kChains; ++c) sums[0] = _mm512_add_ps(sums[0], sums[c]);
  return _mm512_cvtss_f32(sums[0]);
}
#endif

}  // namespace

double read_roof(std::size_t bytes) {
  const std::size_t words = std::max<std::size_t>(bytes / sizeof(std::uint64_t) / 32 * 32, 256);
  AlignedBytes area(words * sizeof(std::uint64_t));
  std::fill_n(area.data(), area.size(), std::byte{1});
  return best_rate(static_cast<double>(area.size()),
                   [&] { benchmark::DoNotOptimize(wide_sum(area.data(), words)); });
}

double fma_roof([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) {
    return best_rate(2.0 * 16 * kChains * kSteps, [] { benchmark::DoNotOptimize(fma_512()); });
  }
  if (isa >= Isa::kAvx2) {
    return best_rate(2.0 * 8 * kChains * kSteps, [] { benchmark::DoNotOptimize(fma_256()); });
  }
#endif
  return 0;
}

}  // namespace partita::internal
