// Products of quantized panels by many rows with half of the multiplications (Winograd 1968, "A New Algorithm
// for Inner Product"), for vector types with V::kWinograd.
//
//   w0 a0 + w1 a1 = (w0 + a1) (w1 + a0) - w0 w1 - a0 a1
//
// The last two terms depend on one row of weights or one row of activations alone: they are computed once,
// not for every product. The rest is one multiplication instead of two, and two additions, which run on pipes
// that multiplications leave idle. With pairs in place of w0, w1, a0, a1 one vpdpwssd multiplies four columns
// of 16 rows. All sums are of integers modulo 2^32 and the result is below that, so it is exact and equal to
// that of the other ways.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/matmul_simd.h"

namespace partita::internal {
namespace {

/// An unpacked panel, with the sums of w0 w1.
template <class V, bool HasMinimum>
struct WinogradPanel : UnpackedPanel<V, 1, HasMinimum> {
  using Base = UnpackedPanel<V, 1, HasMinimum>;
  using I = typename V::I;
  static constexpr bool kOwnSums = true;
  static constexpr int kFours = kGroupCols / 4;  // steps of four columns

  std::int32_t* crossed;  // [groups][16]: - the sum of w0 w1

  WinogradPanel(std::byte* scratch, std::size_t groups)
      : Base(scratch, groups), crossed(reinterpret_cast<std::int32_t*>(scratch + Base::bytes(groups))) {}

  static constexpr std::size_t bytes(std::size_t groups) {
    return Base::bytes(groups) + groups * kPanelRows * sizeof(std::int32_t);
  }

  /// Pairs 2 t and 2 t + 1 of group g.
  I pair(std::size_t g, int t, int which) const {
    return V::load_i(Base::quants + g * Base::kGroupBytes + (2 * t + which) * kQuantVector);
  }

  template <class Packed>
  void fill(const Packed& packed, std::size_t groups) {
    I even = V::zero(), sum = V::zero();
    Base::fill(
        packed, groups, [&](std::size_t g, int i, I w) __attribute__((always_inline)) {
          if (i == 0) sum = V::zero();
          if (i % 2 == 0) {
            even = w;
          } else {
            V::add_products(sum, even, w);
          }
          if (i + 1 == kPairsPerGroup) V::store_i(crossed + g * kPanelRows, V::sub_i(V::zero(), sum));
        });
  }

  template <int R, std::size_t P>
  [[gnu::always_inline]] static void sums(const WinogradPanel (&panels)[P], const Activations& x,
                                          std::size_t row, std::size_t g, int /*half*/, I (&acc)[P][R]) {
    const std::size_t groups = x.cols / kGroupCols, stride = quant_stride(x.cols);
    const std::int16_t* q = x.q + row * stride + g * kGroupCols;
    const std::int32_t* of_x = x.crossed + row * groups + g;
#pragma GCC unroll 2
    for (std::size_t p = 0; p < P; ++p) {
      const I of_w = V::load_i(panels[p].crossed + g * kPanelRows);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) acc[p][r] = V::sub_i(of_w, V::set_i(of_x[r * groups]));
    }
#pragma GCC unroll 1  // as in UnpackedPanel
    for (int t = 0; t < kFours; ++t) {
      I w[P][2];
#pragma GCC unroll 2
      for (std::size_t p = 0; p < P; ++p) {
        w[p][0] = panels[p].pair(g, t, 0);
        w[p][1] = panels[p].pair(g, t, 1);
      }
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const I first = V::pair(q + r * stride + 4 * t), second = V::pair(q + r * stride + 4 * t + 2);
#pragma GCC unroll 2
        for (std::size_t p = 0; p < P; ++p)
          V::add_products(acc[p][r], V::add_16(w[p][0], second), V::add_16(w[p][1], first));
      }
    }
  }
};

/// Two panels share each broadcast activation. Not used with two scales in a group: half as many columns do
/// not pay for the work before and after them.
template <class V, PanelForm Form>
requires(requires { V::kWinograd; } && Form.halves() == 1) struct PanelReading<V, Form> {
  using Packed = PackedPanel<V, Form>;
  using Unpacked = WinogradPanel<V, Packed::kHasMinimum>;
  static constexpr int kFewRows = 4, kManyRows = 4, kPanels = 2;
};

}  // namespace
}  // namespace partita::internal
