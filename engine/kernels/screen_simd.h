// Kernels::screen and Kernels::change_basis, as templates over the vector type.
#pragma once

#include <algorithm>

#include "engine/kernels/matmul_simd.h"
#include "engine/kernels/screen.h"

namespace partita::internal {
namespace {

template <class V>
struct Screen {
  using F = typename V::F;
  using I = typename V::I;
  static constexpr int kRows = 4;  // queries at a time, per unpacking of the quants

  struct Bounds {
    F lower, upper;
  };

  /// Sums of one row over a panel.
  struct Sums {
    I wide, narrow;
  };

  /// The bounds of 16 outputs, from their products with row r of x.
  static Bounds bounds(const Sums& sums, F step, F base, const ScreenQuery& x, std::size_t r) {
    const F offset = V::set(x.offset[r]), rounding = V::set(kScreenRounding);
    const F a = V::mul(V::to_float(sums.wide), V::set(x.wide_scale[r]));
    const F b = V::mul(V::to_float(sums.narrow), V::set(x.narrow_scale[r]));
    const F t = V::sub(V::add(a, b), offset);
    const F estimate = V::fma(step, t, base);
    const F size = V::add(V::add(V::abs(a), V::abs(b)), V::abs(offset));
    const F error_bound = V::fma(size, rounding, V::set(x.error_bound[r]));
    const F slack = V::fma(V::abs(base), rounding, V::set(x.slack[r]));
    const F width = V::fma(step, error_bound, slack);
    return {V::sub(estimate, width), V::add(estimate, width)};
  }

  /// One group of 32 narrow columns: bytes of nibbles times bytes of the query.
  template <int R>
  static void narrow_group(const std::byte* quants, const std::int8_t* y, std::size_t stride, Sums* sums) {
    const I mask = V::set_i(0x0F0F0F0F);
    I part[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) part[r] = V::zero();
#pragma GCC unroll 4
    for (int t = 0; t < 4; ++t) {
      const I words = V::load_i(quants + t * 64);
      const I low = V::bits_and(words, mask), high = V::bits_and(V::shift_right(words, 4), mask);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        V::nibble_dot(part[r], low, y + r * stride + t * 8);
        V::nibble_dot(part[r], high, y + r * stride + t * 8 + 4);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sums[r].narrow = V::add_i(sums[r].narrow, V::nibble_total(part[r]));
  }

  template <int R>
  static void tile(const ScreenPanels& w, std::size_t first, std::size_t last, const ScreenQuery& x,
                   std::size_t row, float* upper, std::size_t ld, float* lower) {
    constexpr std::size_t kWideGroups = kScreenWide / kGroupCols;
    const std::size_t groups = w.cols / kGroupCols, stride = w.cols - kScreenWide;
    const std::int16_t* const wide = x.wide + row * kScreenWide;
    const std::int8_t* const narrow = x.narrow + row * stride;
    F most[R];
    for (int r = 0; r < R; ++r) most[r] = V::set(lower[row + static_cast<std::size_t>(r)]);
    for (std::size_t p = first; p < last; ++p) {
      const std::byte* const quants = w.quants(p);
      Sums sums[R];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) sums[r] = {V::zero(), V::zero()};
      for (std::size_t g = 0; g < groups; ++g) {
        const std::byte* const group = quants + g * ScreenPanels::kGroupBytes;
        const std::byte* const next = group + w.panel_bytes();
        for (std::size_t i = 0; i < ScreenPanels::kGroupBytes; i += 64) __builtin_prefetch(next + i, 0, 2);
        if (g >= kWideGroups) {
          narrow_group<R>(group, narrow + (g - kWideGroups) * kGroupCols, stride, sums);
          continue;
        }
        Quants<V, 4>::template pairs<1>(
            group, 0, [&](int i, I pair) __attribute__((always_inline)) {
#pragma GCC unroll 4
              for (int r = 0; r < R; ++r)
                V::dot(sums[r].wide, pair, wide + r * kScreenWide + g * kGroupCols + 2 * i);
            });
      }
      const F step = V::load(w.steps(p)), base = V::load(w.bases(p));
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const std::size_t at = row + static_cast<std::size_t>(r);
        const Bounds found = bounds(sums[r], step, base, x, at);
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

/// Kernels::change_basis: plain loops that the compiler vectorizes for doubles with the instruction set of
/// the table. Four columns at a time, so that y is read and written a fourth as often, while the next four
/// are prefetched.
template <class V>
void change_basis(const float* x, const float* mean, std::size_t n, const float* columns, std::size_t ld,
                  std::size_t count, double* y) {
  constexpr std::size_t kLine = 64 / sizeof(float);
  const auto centred = [&](std::size_t k) {
    return static_cast<double>(x[k]) - static_cast<double>(mean[k]);
  };
  std::fill_n(y, count, 0.0);
  std::size_t k = 0;
  for (; k + 4 <= n; k += 4) {
    const double x0 = centred(k), x1 = centred(k + 1), x2 = centred(k + 2), x3 = centred(k + 3);
    const float *const c0 = columns + k * ld, *const c1 = c0 + ld, *const c2 = c1 + ld, *const c3 = c2 + ld;
    const auto add = [&](std::size_t i) __attribute__((always_inline)) {
      y[i] = (((y[i] + x0 * static_cast<double>(c0[i])) + x1 * static_cast<double>(c1[i])) +
              x2 * static_cast<double>(c2[i])) +
             x3 * static_cast<double>(c3[i]);
    };
    std::size_t i = 0;
    for (; i + kLine <= count; i += kLine) {
      for (const float* column : {c0, c1, c2, c3}) __builtin_prefetch(column + 4 * ld + i);
      for (std::size_t j = 0; j < kLine; ++j) add(i + j);
    }
    for (; i < count; ++i) add(i);
  }
  for (; k < n; ++k) {
    const double x0 = centred(k);
    const float* const c0 = columns + k * ld;
    for (std::size_t i = 0; i < count; ++i) y[i] += x0 * static_cast<double>(c0[i]);
  }
}

}  // namespace
}  // namespace partita::internal
