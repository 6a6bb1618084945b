// Products of quantized panels by many rows with half of the multiplications (Winograd 1968, "A New Algorithm
// for Inner Product"), for vector types that have dot_crossed.
//
//   w0 a0 + w1 a1 = (w0 + a1) (w1 + a0) - w0 w1 - a0 a1
//
// The last two terms belong to a row of weights and a row of activations alone: they are made once, not for
// every product. What is left is one multiplication where there were two, and two additions, which run on
// pipes that multiplications leave idle. With pairs in the place of w0, w1, a0, a1 one vpdpwssd multiplies four
// columns of 16 rows. All sums are of integers modulo 2^32 and the result is below that: it is exact, the same
// that other ways have.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/matmul_simd.h"

namespace partita {
namespace {

/// A panel taken apart, with the sums of w0 w1.
template <class V, bool HasMinimum>
struct WinogradPanel : UnpackedPanel<V, 1, HasMinimum> {
  using Base = UnpackedPanel<V, 1, HasMinimum>;
  using I = typename V::I;
  static constexpr bool kOwnSums = true;

  std::int32_t* crossed;  // [groups][16]

  WinogradPanel(std::byte* scratch, std::size_t groups)
      : Base(scratch, groups),
        crossed(reinterpret_cast<std::int32_t*>(Base::minima + groups * kPanelRows)) {}

  /// body(t, w, u) for the pairs 2 t and 2 t + 1 of group g, t = 0 .. 7.
  template <class Body>
  [[gnu::always_inline]] void two_pairs(std::size_t g, Body&& body) const {
    const std::byte* at = Base::quants + g * Base::kGroupBytes;
#pragma GCC unroll 1  // as in UnpackedPanel
    for (int t = 0; t < kPairsPerGroup / 2; ++t, at += 2 * kQuantVector)
      body(t, V::load_i(at), V::load_i(at + kQuantVector));
  }

  template <class Packed>
  void fill(const Packed& packed, std::size_t groups) {
    Base::fill(packed, groups);
    for (std::size_t g = 0; g < groups; ++g) {
      I sum = V::zero();
      two_pairs(g, [&](int, I w, I u) { sum = V::add_products(sum, w, u); });
      V::store_i(crossed + g * kPanelRows, sum);
    }
  }

  template <int R>
  [[gnu::always_inline]] void sums(const Activations& x, std::size_t row, std::size_t g, int /*half*/,
                                   I (&acc)[R]) const {
    const std::size_t groups = x.cols / kGroupCols, stride = quant_stride(x.cols);
    const std::int16_t* q = x.q + row * stride + g * kGroupCols;
    const std::int32_t* of_x = x.crossed + row * groups + g;
    const I of_w = V::sub_i(V::zero(), V::load_i(crossed + g * kPanelRows));
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) acc[r] = V::sub_i(of_w, V::set_i(of_x[r * groups]));
    two_pairs(
        g, [&](int t, I w, I u) __attribute__((always_inline)) {
#pragma GCC unroll 16
          for (int r = 0; r < R; ++r) V::dot_crossed(acc[r], w, u, q + r * stride + 4 * t);
        });
  }
};

/// Not with two scales in a group: half as many columns do not pay for what comes before and after them.
template <class V, int Bits, ScaleKind Kind, int Offset>
requires(requires { V::dot_crossed; } && Scales<V, Kind>::kHalves == 1)
struct PanelReading<V, Bits, Kind, Offset> {
  using Packed = PackedPanel<V, Bits, Kind, Offset>;
  using Unpacked = WinogradPanel<V, Packed::kHasMinimum>;
  static constexpr int kFewRows = 4, kManyRows = V::kTileRows;
};

}  // namespace
}  // namespace partita
