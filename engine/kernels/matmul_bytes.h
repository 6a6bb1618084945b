// Products of quantized panels by byte dot products, for vector types that have them (V::Columns): the same
// integers as by pairs, in half the instructions.
//
// A 16-bit activation is q = 256 h + l with a signed byte h and an unsigned byte l, a quant w is an unsigned
// byte, and sum q w = 256 sum h w + sum l w. Signed dot products use w directly if it is below 128. 8-bit
// quants are used minus their offset of 128, so 128 sum l must be subtracted; so are values of a codebook,
// plus 128.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/matmul_simd.h"

namespace partita::internal {
namespace {

inline constexpr int kEights = kGroupCols / 8;  // eights of columns in a group

/// acc[r] = the sum over the columns of half a group (or all of it) of q * w, where q is in row row + r.
template <class V, int R, class Panel>
[[gnu::always_inline]] inline void byte_sums(const Panel& panel, const Activations& x, std::size_t row,
                                             std::size_t g, int half, typename V::I (&acc)[R]) {
  using I = typename V::I;
  const std::size_t stride = quant_stride(x.cols);
  const std::int16_t* q = x.q + row * stride + g * kGroupCols + half * kGroupCols / Panel::kHalves;
  I low[R], high[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) low[r] = high[r] = V::zero();
  panel.eights(
      g, half, [&](int t, I first, I second) __attribute__((always_inline)) {
        const I sign = V::set_i(static_cast<std::int32_t>(0x80808080U));
        const I first_signed = Panel::kEightBits ? V::bits_xor(first, sign) : first;
        const I second_signed = Panel::kEightBits ? V::bits_xor(second, sign) : second;
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          const typename V::Columns columns = V::columns(q + r * stride + 8 * t);
          low[r] = V::template dot_low<0>(low[r], first, columns);
          high[r] = V::template dot_high<0>(high[r], first_signed, columns);
          low[r] = V::template dot_low<1>(low[r], second, columns);
          high[r] = V::template dot_high<1>(high[r], second_signed, columns);
        }
      });
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    acc[r] = V::add_i(V::shift_left(high[r], 8), low[r]);
    if constexpr (Panel::kEightBits) {
      acc[r] = V::sub_i(acc[r], V::set_i(V::template sum_low<kGroupCols / Panel::kHalves>(q + r * stride) *
                                         Panel::kOffset));
    } else if constexpr (Panel::kSumOffset != Panel::kOffset) {
      acc[r] = V::sub_i(
          acc[r], V::set_i(V::template sum<kGroupCols / Panel::kHalves>(q + r * stride) * Panel::kOffset));
    }
  }
}

/// A panel in its packed form, read as bytes.
template <class V, PanelForm Form>
struct BytePanel : PackedPanel<V, Form> {
  using Base = PackedPanel<V, Form>;
  using Base::Base;
  using I = typename V::I;
  static constexpr bool kOwnSums = true, kEightBits = Form.bits == 8 || Form.codebook;
  static constexpr int kOffset = Form.codebook ? 128 : Form.offset;
  static constexpr int kSumOffset =
      kEightBits ? 0 : Base::kSumOffset;  // the offset that sums() does not subtract
  static_assert(!kEightBits || kOffset == 128);

  /// Calls body(t, first, second) for every eight columns of the half: lane r holds four columns of row r,
  /// one per byte.
  template <class Body>
  [[gnu::always_inline]] void eights(std::size_t g, int half, Body&& body) const {
    constexpr int kCount = kEights / Base::kHalves;
    const std::byte* group = Base::quants + g * Base::Q::kGroupBytes;
#pragma GCC unroll 4
    for (int t = 0; t < kCount; ++t) {
      const int vector = half * kCount + t;
      if constexpr (Form.codebook) {
        const auto bytes = Base::q.eight(group, vector);
        const I sign = V::set_i(static_cast<std::int32_t>(0x80808080U));
        body(t, V::bits_xor(bytes.first, sign), V::bits_xor(bytes.last, sign));
      } else if constexpr (kEightBits) {
        const std::byte* at = group + vector * 2 * kQuantVector;
        body(t, V::load_i(at), V::load_i(at + kQuantVector));
      } else {
        const I mask = V::set_i(0x0F0F0F0F), v = V::load_i(group + vector * kQuantVector);
        body(t, high_bits(group, 4 * vector, V::bits_and(v, mask)),
             high_bits(group, 4 * vector + 1, V::bits_and(V::shift_right(v, 4), mask)));
      }
    }
  }

  template <int R>
  [[gnu::always_inline]] static void sums(const BytePanel (&panels)[1], const Activations& x, std::size_t row,
                                          std::size_t g, int half, I (&acc)[1][R]) {
    byte_sums<V, R>(panels[0], x, row, g, half, acc[0]);
  }

 private:
  /// w with its upper bits (from the fourth on) added: bytes 0 and 2 are those of pair `pair`, bytes 1 and 3
  /// of pair + 2.
  [[gnu::always_inline]] static I high_bits(const std::byte* group, int pair, I w) {
    constexpr int kHigh = Form.bits - 4;
    if constexpr (kHigh > 0) {
      constexpr int kPairsPerVector = 16 / kHigh;
      constexpr int kMask = kHigh == 1 ? 0x00100010 : 0x00300030;
      const I plane = V::load_i(group + 256 + pair / kPairsPerVector * kQuantVector);
      const auto from = [&](int left) __attribute__((always_inline)) {
        return left < 0 ? V::shift_right(plane, -left) : V::shift_left(plane, left);
      };
      const int even = pair % kPairsPerVector * kHigh, odd = even + 2 * kHigh;
      w = V::bits_or(w, V::bits_and(from(4 - even), V::set_i(kMask)));
      w = V::bits_or(w, V::bits_and(from(12 - odd), V::set_i(kMask << 8)));
    }
    return w;
  }
};

/// The unpacked panel: one byte per quant, scales and minima as floats.
template <class V, class Packed>
struct UnpackedBytePanel {
  using I = typename V::I;
  static constexpr bool kOwnSums = true;
  static constexpr int kHalves = Packed::kHalves, kOffset = Packed::kOffset, kSumOffset = Packed::kSumOffset;
  static constexpr bool kHasMinimum = Packed::kHasMinimum, kEightBits = Packed::kEightBits;
  static constexpr std::size_t kGroupBytes = kEights * 2 * kQuantVector;

  std::byte* quants;  // [groups][8][16 rows][4 columns]
  float* scales;      // [groups][kHalves][16]
  float* minima;      // [groups][kHalves][16]

  static constexpr std::size_t bytes(std::size_t groups) {
    return groups * (kGroupBytes + (1 + kHasMinimum) * kHalves * kPanelRows * sizeof(float));
  }

  UnpackedBytePanel(std::byte* scratch, std::size_t groups)
      : quants(scratch),
        scales(reinterpret_cast<float*>(scratch + groups * kGroupBytes)),
        minima(scales + groups * kHalves * kPanelRows) {}

  std::byte* at(std::size_t g, int half) const {
    return quants + g * kGroupBytes + static_cast<std::size_t>(half) * (kGroupBytes / kHalves);
  }

  void fill(const Packed& packed, std::size_t groups) {
    for (std::size_t g = 0; g < groups; ++g) {
      packed.prefetch(g);
      for (int half = 0; half < kHalves; ++half) {
        std::byte* to = at(g, half);
        packed.eights(
            g, half, [&](int t, I first, I second) __attribute__((always_inline)) {
              V::store_i(to + 2 * t * kQuantVector, first);
              V::store_i(to + (2 * t + 1) * kQuantVector, second);
            });
        V::store(scales + (g * kHalves + half) * kPanelRows, packed.scale(g, half));
        if constexpr (kHasMinimum)
          V::store(minima + (g * kHalves + half) * kPanelRows, packed.minimum(g, half));
      }
    }
  }

  template <class Body>
  [[gnu::always_inline]] void eights(std::size_t g, int half, Body&& body) const {
    const std::byte* from = at(g, half);
#pragma GCC unroll 1  // as in UnpackedPanel
    for (int t = 0; t < kEights / kHalves; ++t) {
      body(t, V::load_i(from + 2 * t * kQuantVector), V::load_i(from + (2 * t + 1) * kQuantVector));
    }
  }
  template <int R>
  [[gnu::always_inline]] static void sums(const UnpackedBytePanel (&panels)[1], const Activations& x,
                                          std::size_t row, std::size_t g, int half, I (&acc)[1][R]) {
    byte_sums<V, R>(panels[0], x, row, g, half, acc[0]);
  }
  typename V::F scale(std::size_t g, int half) const {
    return V::load(scales + (g * kHalves + half) * kPanelRows);
  }
  typename V::F minimum(std::size_t g, int half) const {
    return V::load(minima + (g * kHalves + half) * kPanelRows);
  }
  void prefetch(std::size_t) const {}
};

/// Two rows at a time: their 16 accumulators leave registers for a vector of weights, and each byte dot
/// product replaces two of pairs.
template <class V, PanelForm Form>
requires requires { typename V::Columns; }
struct PanelReading<V, Form> {
  using Packed = BytePanel<V, Form>;
  using Unpacked = UnpackedBytePanel<V, Packed>;
  static constexpr int kFewRows = 2, kManyRows = 2, kPanels = 1;
};

}  // namespace
}  // namespace partita::internal
