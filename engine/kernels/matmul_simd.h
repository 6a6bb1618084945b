// Matrix products on packed panels, as templates over the vector type V (simd_avx2.h, simd_avx512.h,
// simd_neon.h).
//
// A tile is one panel (16 outputs) times R rows of activations, all columns. For few rows the quants are
// unpacked while they are read; for many rows a panel is unpacked once into 16-bit pairs that all tiles
// share. Both do the same arithmetic in the same order (panels.h), so the number of rows does not affect the
// bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/kernels/kernels.h"
#include "engine/kernels/panel_simd.h"

namespace partita::internal {
namespace {

/// The destination of a tile: y[r][0..16), of which `lanes` exist.
struct TileOut {
  float* y;
  std::size_t ld;
  int lanes;

  template <class V>
  void put(int r, typename V::F x) const {
    float* at = y + static_cast<std::size_t>(r) * ld;
    if (lanes == kPanelRows) {
      V::store(at, x);
      return;
    }
    float all[kPanelRows];
    V::store(all, x);
    for (int i = 0; i < lanes; ++i) at[i] = all[i];
  }
};

/// R rows of x from `row` on, times P panels side by side.
template <class V, int R, class Panel, std::size_t P>
[[gnu::noinline]] void quant_tile(const Panel (&panels)[P], const Activations& x, std::size_t row,
                                  const TileOut (&outs)[P]) {
  using F = typename V::F;
  using I = typename V::I;
  const std::size_t groups = x.cols / kGroupCols, stride = quant_stride(x.cols);
  const float* sums = x.sum + row * groups;
  F total[P][R];
#pragma GCC unroll 2
  for (std::size_t p = 0; p < P; ++p) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) total[p][r] = V::set(0.0F);
  }
  for (std::size_t g = 0; g < groups; ++g) {
    for (const Panel& panel : panels) panel.prefetch(g);
    for (int half = 0; half < Panel::kHalves; ++half) {
      I acc[P][R];
      if constexpr (requires { Panel::kOwnSums; }) {
        Panel::template sums<R>(panels, x, row, g, half, acc);
      } else {
        static_assert(P == 1);
        const std::int16_t* q = x.q + row * stride + g * kGroupCols + half * kGroupCols / Panel::kHalves;
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) acc[0][r] = V::zero();
        panels[0].pairs(
            g, half, [&](int i, I w) __attribute__((always_inline)) {
#pragma GCC unroll 16
              for (int r = 0; r < R; ++r) V::dot(acc[0][r], w, q + r * stride + 2 * i);
            });
      }
#pragma GCC unroll 2
      for (std::size_t p = 0; p < P; ++p) {
        const F scale = panels[p].scale(g, half);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          if constexpr (Panel::kSumOffset != 0)  // exact: 2^n
            acc[p][r] = V::sub_i(acc[p][r], V::to_int(V::set(sums[r * groups + g] * Panel::kSumOffset)));
          total[p][r] = V::fma(V::to_float(acc[p][r]), scale, total[p][r]);
        }
      }
    }
    if constexpr (Panel::kHasMinimum) {
#pragma GCC unroll 2
      for (int half = 0; half < Panel::kHalves; ++half) {
#pragma GCC unroll 2
        for (std::size_t p = 0; p < P; ++p) {
          const F minimum = panels[p].minimum(g, half);
#pragma GCC unroll 16
          for (int r = 0; r < R; ++r) {
            float sum = sums[r * groups + g];
            if constexpr (Panel::kHalves == 2) {
              const auto first = static_cast<float>(V::sum_16(x.q + (row + r) * stride + g * kGroupCols));
              sum = half == 0 ? first : sum - first;
            }
            total[p][r] = V::fma(minimum, V::set(sum), total[p][r]);
          }
        }
      }
    }
  }
#pragma GCC unroll 2
  for (std::size_t p = 0; p < P; ++p) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) outs[p].template put<V>(r, V::mul(total[p][r], V::set(x.scale[row + r])));
  }
}

/// Elements of a float panel.
template <class V, Dtype Type>
typename V::F load_elements(const std::byte* at) {
  if constexpr (Type == Dtype::kF16) return V::load_f16(at);
  if constexpr (Type == Dtype::kBF16) return V::load_bf16(at);
  return V::load(reinterpret_cast<const float*>(at));
}

/// acc[r][c] += sum over k of a[r][k] * b(k, c), k ascending, one rounding per step: the float product of
/// this engine, for float panels and for attention. a: [R][lda]; b(k, c): a vector, the c-th of C side by
/// side.
template <class V, int R, int C, class B>
[[gnu::always_inline]] inline void float_tile(const float* a, std::size_t lda, std::size_t depth, B&& b,
                                              typename V::F (&acc)[R][C]) {
  for (std::size_t k = 0; k < depth; ++k) {
    typename V::F columns[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) columns[c] = b(k, c);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const typename V::F factor = V::set(a[r * lda + k]);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) acc[r][c] = V::fma(columns[c], factor, acc[r][c]);
    }
  }
}

/// Calls f(integral constant R, first row) for tiles of `Max` rows, then of 4, then for the rest (of 2 and 1
/// if `Max` is below 4).
template <class V, int Max = V::kTileRows, class F>
[[gnu::always_inline]] inline void for_tiles(std::size_t rows, F&& f) {
  constexpr std::size_t kRows = Max;
  std::size_t row = 0;
  for (; row + kRows <= rows; row += kRows) f(std::integral_constant<int, kRows>{}, row);
  if constexpr (kRows > 4) {
    for (; row + 4 <= rows; row += 4) f(std::integral_constant<int, 4>{}, row);
  }
  if constexpr (kRows >= 4) {
    if (row + 3 == rows) return f(std::integral_constant<int, 3>{}, row);
  }
  for (; row + 2 <= rows; row += 2) f(std::integral_constant<int, 2>{}, row);
  for (; row < rows; ++row) f(std::integral_constant<int, 1>{}, row);
}

/// How the panels of a quantized type are read: the maximum numbers of rows and, when unpacked, of panels in
/// a tile. matmul_bytes.h and matmul_winograd.h have other ways.
template <class V, PanelForm Form>
struct PanelReading {
  using Packed = PackedPanel<V, Form>;
  using Unpacked = UnpackedPanel<V, Packed::kHalves, Packed::kHasMinimum>;
  static constexpr int kFewRows = 4, kManyRows = V::kTileRows, kPanels = 1;
};

template <class V>
struct Matmul {
  /// From this many rows on, a panel is unpacked first.
  static constexpr std::size_t kUnpackRows = 14;

  struct Job {
    const PackedMatrix& w;
    const Activations& x;
    float* y;
    std::size_t ld;
    std::byte* scratch;

    TileOut out(std::size_t panel, std::size_t row) const {
      const std::size_t left = w.rows - panel * kPanelRows;
      return {y + row * ld + panel * kPanelRows, ld, static_cast<int>(left < kPanelRows ? left : kPanelRows)};
    }
  };

  template <PanelForm Form>
  static void quantized(const Job& job, PanelRange panels) {
    using Reading = PanelReading<V, Form>;
    using Unpacked = typename Reading::Unpacked;
    const auto packed = [&](std::size_t p) {
      const std::size_t next = p + 1 < panels.last ? p + 1 : panels.next;
      const auto away = static_cast<std::ptrdiff_t>(next) - static_cast<std::ptrdiff_t>(p);
      return typename Reading::Packed(job.w, p, away * static_cast<std::ptrdiff_t>(job.w.panel_bytes()));
    };
    std::size_t p = panels.first;
    const std::size_t last = panels.last;
    if (job.x.rows >= kUnpackRows) {
      if constexpr (Reading::kPanels == 2) {
        for (; p + 2 <= last; p += 2) unpacked_tiles<Reading::kManyRows, Unpacked>(job, {p, p + 1}, packed);
      }
      for (; p < last; ++p) unpacked_tiles<Reading::kManyRows, Unpacked>(job, {p}, packed);
      return;
    }
    for (; p < last; ++p) {
      for_tiles<V, Reading::kFewRows>(job.x.rows, [&](auto rows, std::size_t row) {
        quant_tile<V, decltype(rows)::value>({packed(p)}, job.x, row, {job.out(p, row)});
      });
    }
  }

  /// Multiplies all rows by the panels `which`, unpacked.
  template <int Rows, class Unpacked, std::size_t P, class Packed>
  static void unpacked_tiles(const Job& job, const std::size_t (&which)[P], const Packed& packed) {
    const std::size_t groups = job.w.cols / kGroupCols;
    const auto unpack = [&](std::size_t i) {
      Unpacked unpacked(job.scratch + i * Unpacked::bytes(groups), groups);
      unpacked.fill(packed(which[i]), groups);
      return unpacked;
    };
    const auto tiles = [&](const Unpacked(&panels)[P]) {
      for_tiles<V, Rows>(job.x.rows, [&](auto rows, std::size_t row) {
        constexpr int kRows = decltype(rows)::value;
        if constexpr (P == 1) {
          quant_tile<V, kRows>(panels, job.x, row, {job.out(which[0], row)});
        } else {
          quant_tile<V, kRows>(panels, job.x, row, {job.out(which[0], row), job.out(which[1], row)});
        }
      });
    };
    if constexpr (P == 1) {
      tiles({unpack(0)});
    } else {
      tiles({unpack(0), unpack(1)});
    }
  }

  template <Dtype Type>
  static void floating(const Job& job, PanelRange panels) {
    const std::size_t step = kPanelRows * block_bytes(Type);
    const bool unpack = Type != Dtype::kF32 && job.x.rows >= kUnpackRows;
    auto* floats = reinterpret_cast<float*>(job.scratch);
    for (std::size_t p = panels.first; p < panels.last; ++p) {
      const std::byte* panel = job.w.quants(p);
      if (unpack) {
        for (std::size_t k = 0; k < job.w.cols; ++k) {
          V::store(floats + k * kPanelRows, load_elements<V, Type>(panel + k * step));
        }
      }
      for_tiles<V>(job.x.rows, [&](auto rows, std::size_t row) {
        constexpr int kRows = decltype(rows)::value;
        typename V::F acc[kRows][1];
        for (int r = 0; r < kRows; ++r) acc[r][0] = V::set(0.0F);
        const float* a = job.x.values + row * job.x.cols;
        if (unpack) {
          float_tile<V>(
              a, job.x.cols, job.w.cols, [&](std::size_t k, int) { return V::load(floats + k * kPanelRows); },
              acc);
        } else {
          float_tile<V>(
              a, job.x.cols, job.w.cols,
              [&](std::size_t k, int) { return load_elements<V, Type>(panel + k * step); }, acc);
        }
        const TileOut out = job.out(p, row);
        for (int r = 0; r < kRows; ++r) out.put<V>(r, acc[r][0]);
      });
    }
  }

  /// The values of one panel: [cols][ld].
  template <PanelForm Form>
  static void unpack_quantized(const PackedMatrix& w, std::size_t p, float* out, std::size_t ld) {
    constexpr int kFirstColumn[4] = {0, 4, 1, 5};  // of each pair in eight columns; the second is at + 2
    using Panel = PackedPanel<V, Form>;
    const Panel panel(w, p, 0);
    const auto offset = V::set_i(Panel::kSumOffset);
    for (std::size_t g = 0; g < w.cols / kGroupCols; ++g) {
      for (int half = 0; half < Panel::kHalves; ++half) {
        const typename V::F scale = panel.scale(g, half);
        typename V::F added = V::set(0.0F);
        if constexpr (Panel::kHasMinimum) added = panel.minimum(g, half);
        float* at = out + (g * kGroupCols + half * 16) * ld;
        panel.pairs(g, half, [&](int i, typename V::I pair) {
          const std::size_t column = i / 4 * 8 + kFirstColumn[i % 4];
          const auto value = [&](typename V::I q) {
            return V::add(V::mul(V::to_float(V::sub_i(q, offset)), scale), added);  // as the codecs round
          };
          V::store(at + column * ld, value(V::low_16(pair)));
          V::store(at + (column + 2) * ld, value(V::high_16(pair)));
        });
      }
    }
  }

  template <Dtype Type>
  static void unpack_floating(const PackedMatrix& w, std::size_t p, float* out, std::size_t ld) {
    for (std::size_t k = 0; k < w.cols; ++k) {
      V::store(out + k * ld, load_elements<V, Type>(w.quants(p) + k * kPanelRows * block_bytes(Type)));
    }
  }

  static void run(const PackedMatrix& w, PanelRange panels, const Activations& x, float* y, std::size_t ld,
                  std::byte* scratch) {
    const Job job{w, x, y, ld, scratch};
    for_type(
        w.dtype, [&]<Dtype Type>(Float<Type>) { floating<Type>(job, panels); },
        [&]<PanelForm Form>(Quantized<Form>) { quantized<Form>(job, panels); });
  }

  static void unpack(const PackedMatrix& w, std::size_t p, float* out, std::size_t ld) {
    for_type(
        w.dtype, [&]<Dtype Type>(Float<Type>) { unpack_floating<Type>(w, p, out, ld); },
        [&]<PanelForm Form>(Quantized<Form>) { unpack_quantized<Form>(w, p, out, ld); });
  }
};

}  // namespace
}  // namespace partita::internal
