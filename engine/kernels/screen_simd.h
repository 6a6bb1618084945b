// Kernels::screen, as a template over the vector type.
#pragma once

#include <algorithm>

#include "engine/kernels/matmul_simd.h"
#include "engine/kernels/screen.h"

namespace partita {
namespace {

template <class V>
struct Screen {
  using F = typename V::F;
  using I = typename V::I;
  static constexpr int kRows = 4;  // of a query at a time, while the quants are taken apart

  struct Bounds {
    F lower, upper;
  };

  /// The bounds of 16 outputs whose products with row r of x are acc.
  static Bounds bounds(I acc, F step, F base, const ScreenQuery& x, std::size_t r) {
    const F offset = V::set(x.offset[r]), rounding = V::set(kScreenRounding);
    const F t = V::sub(V::mul(V::to_float(acc), V::set(x.scale[r])), offset);
    const F estimate = V::fma(step, t, base);
    const F size = V::add(V::abs(t), V::abs(offset));
    const F reach = V::fma(size, rounding, V::set(x.reach[r]));
    const F slack = V::fma(V::abs(base), rounding, V::set(x.slack[r]));
    const F width = V::fma(step, reach, slack);
    return {V::sub(estimate, width), V::add(estimate, width)};
  }

  template <int R>
  static void tile(const ScreenPanels& w, std::size_t first, std::size_t last, const ScreenQuery& x,
                   std::size_t row, float* upper, std::size_t ld, float* lower) {
    const std::size_t stride = quant_stride(x.cols);
    const std::int16_t* const q = x.q + row * stride;
    F most[R];
    for (int r = 0; r < R; ++r) most[r] = V::set(lower[row + static_cast<std::size_t>(r)]);
    for (std::size_t p = first; p < last; ++p) {
      const std::byte* const quants = w.quants(p);
      I acc[R];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) acc[r] = V::zero();
      for (std::size_t g = 0; g < w.cols / kGroupCols; ++g) {
        const std::byte* const next = quants + w.panel_bytes() + g * ScreenPanels::kGroupBytes;
        for (std::size_t i = 0; i < ScreenPanels::kGroupBytes; i += 64) __builtin_prefetch(next + i, 0, 2);
        Quants<V, 4>::template pairs<1>(
            quants + g * ScreenPanels::kGroupBytes, 0, [&](int i, I pair) __attribute__((always_inline)) {
#pragma GCC unroll 4
              for (int r = 0; r < R; ++r) V::dot(acc[r], pair, q + r * stride + g * kGroupCols + 2 * i);
            });
      }
      const F step = V::load(w.steps(p)), base = V::load(w.bases(p));
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const std::size_t at = row + static_cast<std::size_t>(r);
        const Bounds found = bounds(acc[r], step, base, x, at);
        V::store(upper + at * ld + p * kPanelRows, found.upper);
        most[r] = V::max(most[r], found.lower);
      }
    }
    for (int r = 0; r < R; ++r) lower[row + static_cast<std::size_t>(r)] = V::reduce_max(most[r]);
  }

  static void run(const ScreenPanels& w, std::size_t first, std::size_t last, const ScreenQuery& x,
                  float* upper, std::size_t ld, float* lower) {
    for_tiles<V, kRows>(x.rows, [&](auto rows, std::size_t row) {
      tile<decltype(rows)::value>(w, first, last, x, row, upper, ld, lower);
    });
  }
};

}  // namespace
}  // namespace partita
