// State-space recurrences and softplus, as templates over the vector type V.
#pragma once

#include <cstddef>

#include "engine/kernels/elementwise_simd.h"
#include "engine/kernels/kernels.h"

namespace partita::internal {
namespace {

/// kernels.h, Kernels::scan; decay(k): the decays of place k. Four sums in turn, so that none waits for the
/// one before.
template <class V, class Decay>
[[gnu::always_inline]] inline void scan_places(const Decay& decay, const float* input, const float* b,
                                               const float* c, std::size_t n, float* state, float* y) {
  using F = typename V::F;
  const F u = V::load(input);
  F sums[4] = {V::set(0.0F), V::set(0.0F), V::set(0.0F), V::set(0.0F)};
  const auto place = [&](std::size_t k, F & sum) __attribute__((always_inline)) {
    float* at = state + k * kLanes;
    const F s = V::fma(V::set(b[k]), u, V::mul(decay(k), V::load(at)));
    V::store(at, s);
    sum = V::fma(V::set(c[k]), s, sum);
  };
  std::size_t k = 0;
  for (; k + 4 <= n; k += 4) {
    place(k, sums[0]);
    place(k + 1, sums[1]);
    place(k + 2, sums[2]);
    place(k + 3, sums[3]);
  }
  for (std::size_t i = 0; k < n; ++k, ++i) place(k, sums[i]);
  V::store(y, V::add(V::add(sums[0], sums[1]), V::add(sums[2], sums[3])));
}

template <class V>
void scan(const float* decay, std::size_t decay_step, const float* input, const float* b, const float* c,
          std::size_t n, float* state, float* y) {
  if (decay_step == 0) {
    const auto same = V::load(decay);
    scan_places<V>([&](std::size_t) { return same; }, input, b, c, n, state, y);
  } else {
    scan_places<V>([&](std::size_t k) { return V::load(decay + k * decay_step); }, input, b, c, n, state, y);
  }
}

/// log(1 + t) for t in [0, 1], as 2 atanh(t / (2 + t)): the terms up to z^15, error 1e-8 before rounding.
template <class V>
[[gnu::always_inline]] inline typename V::F log_one_plus(typename V::F t) {
  const auto z = V::div(t, V::add(V::set(2.0F), t));
  const auto square = V::mul(z, z);
  auto p = V::set(2.0F / 15);
  for (const float factor : {2.0F / 13, 2.0F / 11, 2.0F / 9, 2.0F / 7, 2.0F / 5, 2.0F / 3})
    p = V::fma(p, square, V::set(factor));
  return V::fma(V::mul(p, square), z, V::add(z, z));
}

/// log(1 + e^v)
template <class V>
[[gnu::always_inline]] inline typename V::F softplus_of(typename V::F v) {
  const auto t = exp<V>(V::sub(V::set(0.0F), V::abs(v)));
  return V::add(V::max(V::set(0.0F), v), log_one_plus<V>(t));  // max: the second operand if it is NaN
}

template <class V>
void softplus(const float* x, std::size_t n, float* y) {
  for_lanes<V>(n, [&](auto at, auto put) { put(y, softplus_of<V>(at(x))); });
}

}  // namespace
}  // namespace partita::internal
