// Linear attention by the gated delta rule, as templates over the vector type V.
#pragma once

#include <cstddef>

#include "engine/kernels/elementwise_simd.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/scan_simd.h"

namespace partita::internal {
namespace {

template <class V>
void decay(const float* x, const float* bias, const float* rate, std::size_t n, float* y) {
  for_lanes<V>(n, [&](auto at, auto put) {
    put(y, exp<V>(V::mul(at(rate), softplus_of<V>(V::add(at(x), at(bias))))));
  });
}

/// The state is read and written once a token: the pass that writes what token t adds also sums what token t
/// + 1 reads. A block of tokens passes over two panels of the state, which stay in the L1 cache, before the
/// next two.
template <class V>
struct DeltaRule {
  using F = typename V::F;

  static void run(const DeltaTokens& x, float* state, float* y, std::size_t ld) {
    for (std::size_t t = 0; t < x.count; t += kTokens)
      run_block(x.part(t, x.count - t < kTokens ? x.count - t : kTokens), state, y + t * ld, ld);
  }

 private:
  /// Tokens whose rows stay in the caches while all panels pass over them.
  static constexpr std::size_t kTokens = 32;

  static void run_block(const DeltaTokens& x, float* state, float* y, std::size_t ld) {
    const std::size_t panel = x.keys * kLanes;
    std::size_t column = 0;
    for (; column + kLanes < x.values; column += 2 * kLanes)
      panels<2>(x, column, state + column / kLanes * panel, y, ld);
    if (column < x.values) panels<1>(x, column, state + column / kLanes * panel, y, ld);
  }

  /// Columns [column, column + 16 kPanels).
  template <int kPanels>
  static void panels(const DeltaTokens& x, std::size_t column, float* state, float* y, std::size_t ld) {
    float read[kMaxHeadDim];  // k times decay, of the next token
    F seen[kPanels];          // S^T k after the decay, of the next token
    for (F& s : seen) s = V::set(0.0F);
    fill_read(x, 0, read);
    for (std::size_t i = 0; i < x.keys; ++i) {
      for (int p = 0; p < kPanels; ++p) {
        const float* at = state + (static_cast<std::size_t>(p) * x.keys + i) * kLanes;
        seen[p] = V::fma(V::set(read[i]), V::load(at), seen[p]);
      }
    }
    for (std::size_t t = 0; t < x.count; ++t) {
      F change[kPanels], out[kPanels];
      for (int p = 0; p < kPanels; ++p) {
        change[p] = V::mul(V::set(*x.beta[t]), V::sub(load_columns(x.v[t], column, p, x.values), seen[p]));
      }
      if (t + 1 < x.count) {
        fill_read(x, t + 1, read);
        pass<kPanels, true>(x, t, read, state, change, out, seen);
      } else {
        pass<kPanels, false>(x, t, read, state, change, out, seen);
      }
      for (int p = 0; p < kPanels; ++p) store_columns(y + t * ld, column, p, x.values, out[p]);
    }
  }

  static void fill_read(const DeltaTokens& x, std::size_t t, float* read) {
    const float *k = x.k[t], *factor = x.decay[t];
    if (x.decay_of_key) {
      for (std::size_t i = 0; i < x.keys; ++i) read[i] = k[i] * factor[i];
    } else {
      for (std::size_t i = 0; i < x.keys; ++i) read[i] = k[i] * *factor;
    }
  }

  /// S = decay S + k change^T; out = S^T q; with kNext also seen = S^T read.
  template <int kPanels, bool kNext>
  static void pass(const DeltaTokens& x, std::size_t t, const float* read, float* state, const F* change,
                   F* out, F* seen) {
    const float *q = x.q[t], *k = x.k[t], *factor = x.decay[t];
    const std::size_t step = x.decay_of_key ? 1 : 0;
    F sum[kPanels], next[kPanels];
    for (int p = 0; p < kPanels; ++p) sum[p] = next[p] = V::set(0.0F);
    for (std::size_t i = 0; i < x.keys; ++i, factor += step) {
      for (int p = 0; p < kPanels; ++p) {
        float* at = state + (static_cast<std::size_t>(p) * x.keys + i) * kLanes;
        const F s = V::fma(V::set(k[i]), change[p], V::mul(V::set(*factor), V::load(at)));
        V::store(at, s);
        sum[p] = V::fma(V::set(q[i]), s, sum[p]);
        if constexpr (kNext) next[p] = V::fma(V::set(read[i]), s, next[p]);
      }
    }
    for (int p = 0; p < kPanels; ++p) {
      out[p] = sum[p];
      if constexpr (kNext) seen[p] = next[p];
    }
  }

  static F load_columns(const float* row, std::size_t column, int panel, std::size_t columns) {
    const std::size_t first = column + static_cast<std::size_t>(panel) * kLanes;
    if (first + kLanes <= columns) return V::load(row + first);
    return load_some<V>(row + first, columns - first, 0.0F);
  }

  static void store_columns(float* row, std::size_t column, int panel, std::size_t columns, F x) {
    const std::size_t first = column + static_cast<std::size_t>(panel) * kLanes;
    if (first + kLanes <= columns) {
      V::store(row + first, x);
    } else {
      store_some<V>(row + first, columns - first, x);
    }
  }
};

}  // namespace
}  // namespace partita::internal
