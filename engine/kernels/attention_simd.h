// Fused attention over one page (flash attention), as a template over the vector type V: scores, online
// softmax, weighted values. Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention by chunks
// of keys).
#pragma once

#include <algorithm>
#include <limits>

#include "engine/kernels/elementwise_simd.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/matmul_simd.h"

namespace partita::internal {
namespace {

template <class V, KvType Type>
struct PageAttention {
  using F = typename V::F;
  static constexpr KvElement kKey = kv_keys(Type), kValue = kv_values(Type);
  static constexpr std::size_t kScales = kv_scale_bytes(Type);
  static constexpr int kWidth = 16;  // of a vector: tokens of keys, or dimensions of a value
  template <KvElement E>
  static constexpr std::size_t kVector = kWidth* bytes_of(E);  // its bytes in the page
  static constexpr std::size_t kMaxDepth = kMaxHeadDim;
  static_assert(kPageTokens <= kMaxDepth);

  template <KvElement E>
  static F load(const std::byte* at) {
    if constexpr (E == KvElement::kF16) return V::load_f16(at);
    if constexpr (E == KvElement::kI8) return V::load_i8(at);
    return V::load(reinterpret_cast<const float*>(at));
  }

  /// The rows of a product: out[r][16 v + i] = start + sum over k < depth of a[r][k] * column(k, v)[i].
  struct Rows {
    std::size_t rows, depth;
    const float* a;  // [rows][lda]
    std::size_t lda;
    float* out;  // [rows][ldo]
    std::size_t ldo;
  };

  /// Tiles of `x` for vectors [first, last). Each sum depends on its previous step, so a tile with few rows
  /// takes several vectors side by side.
  template <class Start, class Column>
  [[gnu::always_inline]] static void tiles(const Rows& x, int first, int last, Start&& start,
                                           Column&& column) {
    for_tiles<V>(x.rows, [&](auto rows, std::size_t row) {
      constexpr int kRows = decltype(rows)::value;
      const auto some = [&](auto side_by_side, int v) __attribute__((always_inline)) {
        constexpr int kVectors = decltype(side_by_side)::value;
        F acc[kRows][kVectors];
        float* out = x.out + row * x.ldo + static_cast<std::size_t>(v) * kWidth;
        for (int r = 0; r < kRows; ++r) {
          for (int c = 0; c < kVectors; ++c)
            acc[r][c] = start(row + static_cast<std::size_t>(r),
                              out + static_cast<std::size_t>(r) * x.ldo + c * kWidth);
        }
        float_tile<V>(
            x.a + row * x.lda, x.lda,
            x.depth, [&](std::size_t k, int c) __attribute__((always_inline)) { return column(k, v + c); },
            acc);
        for (int r = 0; r < kRows; ++r) {
          for (int c = 0; c < kVectors; ++c)
            V::store(out + static_cast<std::size_t>(r) * x.ldo + c * kWidth, acc[r][c]);
        }
      };
      constexpr int kMax = 4 * kRows <= V::kTileRows ? 4 : 2 * kRows <= V::kTileRows ? 2 : 1;
      int v = first;
      for (; v + kMax <= last; v += kMax) some(std::integral_constant<int, kMax>{}, v);
      if constexpr (kMax > 1) {
        for (; v < last; ++v) some(std::integral_constant<int, 1>{}, v);
      }
    });
  }

  /// All vectors of a product. If several tiles read them, they are converted once.
  template <KvElement E, class Start, class Column>
  [[gnu::always_inline]] static void product(const Rows& x, int vectors, Start&& start, Column&& column) {
    if (E == KvElement::kF32 || x.rows <= V::kTileRows) return tiles(x, 0, vectors, start, column);
    alignas(64) float converted[kMaxDepth * kWidth];
    for (int v = 0; v < vectors; ++v) {
      for (std::size_t k = 0; k < x.depth; ++k) V::store(converted + k * kWidth, column(k, v));
      tiles(
          x, v, v + 1, start, [&](std::size_t k, int) __attribute__((always_inline)) {
            return V::load(converted + k * kWidth);
          });
    }
  }

  /// The vector at `offset`; prefetches the same offset of the next page into the second-level cache.
  template <KvElement E>
  [[gnu::always_inline]] static F load_and_prefetch(const std::byte* side, const std::byte* next,
                                                    std::size_t offset) {
    constexpr int kRead = 0, kSecondLevel = 2;
    __builtin_prefetch(next + offset, kRead, kSecondLevel);
    return load<E>(side + offset);
  }

  /// scores: [rows][kPageTokens]
  [[gnu::noinline]] static void scores(const QueryTile& tile, const std::byte* k, const std::byte* next,
                                       int vectors, float* out) {
    const std::size_t dim = tile.widths.key;
    product<kKey>(
        {static_cast<std::size_t>(tile.rows), dim, tile.q, dim, out, kPageTokens}, vectors,
        [](std::size_t, const float*) { return V::set(0.0F); },
        [&](std::size_t d, int vector) {
          return load_and_prefetch<kKey>(k, next,
                                         (static_cast<std::size_t>(vector) * dim + d) * kVector<kKey>);
        });
  }

  /// ALiBi, for all rows of a tile with slopes.
  [[gnu::noinline]] static void add_slopes(const QueryTile& tile, int vectors, float* scores) {
    alignas(64) static constexpr float kCount[kWidth] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                         8, 9, 10, 11, 12, 13, 14, 15};
    for (int r = 0; r < tile.rows; ++r, scores += kPageTokens) {
      const F slope = V::set(tile.slope[r]);
      F distance = V::sub(V::load(kCount), V::set(tile.at[r]));
      for (int b = 0; b < vectors; ++b) {
        V::store(scores + b * kWidth, V::fma(slope, distance, V::load(scores + b * kWidth)));
        distance = V::add(distance, V::set(static_cast<float>(kWidth)));
      }
    }
  }

  [[gnu::noinline]] static void cap_scores(std::size_t n, float cap, float* scores) {
    for (std::size_t i = 0; i < n; i += kWidth) V::store(scores + i, capped<V>(V::load(scores + i), cap));
  }

  /// Turns the scores of one row into weights, zero outside [first, last), and updates its maximum and sum.
  /// The scales of `v` multiply the weights, not the sum. Returns the factor for the values accumulated
  /// before.
  static float weights(float* s, const std::byte* v, int vectors, int first, int last, float& max,
                       float& sum) {
    const F nothing = V::set(-std::numeric_limits<float>::infinity());
    F most = nothing;
    for (int b = 0; b < vectors; ++b) {
      const F x = V::keep(V::load(s + b * kWidth), first - b * kWidth, last - b * kWidth, nothing);
      V::store(s + b * kWidth, x);
      most = V::max(most, x);
    }
    const float page_max = V::reduce_max(most);
    const float new_max = page_max > max ? page_max : max;
    if (new_max == -std::numeric_limits<float>::infinity() && page_max == new_max) {
      bool any = false;  // all scores so far are -inf; a NaN score counts as a score
      for (int b = 0; b < vectors; ++b) any = any || V::has_nan(V::load(s + b * kWidth));
      if (!any) {
        for (int b = 0; b < vectors; ++b) V::store(s + b * kWidth, V::set(0.0F));
        return 1.0F;
      }
    }
    F total = V::set(0.0F);
    for (int b = 0; b < vectors; ++b) {
      const F p = exp2<V>(V::sub(V::load(s + b * kWidth), V::set(new_max)));
      total = V::add(total, p);
      if constexpr (kScales != 0) {  // the scale of a hidden key may be NaN
        const F scaled = V::mul(p, V::load(reinterpret_cast<const float*>(v) + b * kWidth));
        V::store(s + b * kWidth, V::keep(scaled, first - b * kWidth, last - b * kWidth, V::set(0.0F)));
      } else {
        V::store(s + b * kWidth, p);
      }
    }
    const float factor = exp2_one<V>(max - new_max);
    sum = sum * factor + V::reduce_add(total);
    max = new_max;
    return factor;
  }

  /// out[r] = out[r] * factor[r] + sum over keys of weights[r][key] * v[key]. stride: elements from one value
  /// to the next.
  [[gnu::noinline]] static void values(const QueryTile& tile, const float* weights_of, const float* factors,
                                       const std::byte* v, const std::byte* next, std::size_t stride,
                                       int n_keys, float* out) {
    const std::size_t dim = tile.widths.value;
    product<kValue>(
        {static_cast<std::size_t>(tile.rows), static_cast<std::size_t>(n_keys), weights_of, kPageTokens, out,
         dim},
        static_cast<int>(tile.widths.value) / kWidth,
        [&](std::size_t row, const float* at) { return V::mul(V::load(at), V::set(factors[row])); },
        [&](std::size_t key, int vector) {
          return load_and_prefetch<kValue>(
              v, next,
              kScales + (key * stride + static_cast<std::size_t>(vector) * kWidth) * bytes_of(kValue));
        });
  }

  /// Whether the values of the keys outside [first, last), which are hidden from some row, are finite.
  [[gnu::noinline]] static bool hidden_values_are_finite(const std::byte* v, std::size_t stride, int first,
                                                         int last, int n_keys) {
    F poison = V::set(0.0F);  // becomes NaN at the first value that is not finite
    const auto look = [&](int from, int to) {
      for (std::size_t i = static_cast<std::size_t>(from) * stride; i < static_cast<std::size_t>(to) * stride;
           i += kWidth) {
        const F zero = V::mul(load<kValue>(v + kScales + i * bytes_of(kValue)), V::set(0.0F));
        poison = V::add(poison, zero);
      }
    };
    look(0, std::min(first, n_keys));
    look(std::max(last, 0), n_keys);
    return !V::has_nan(poison);
  }

  static void run(const QueryTile& tile, const KvPage& page, int n_keys, const SoftmaxState& state) {
    alignas(64) float s[kMaxQueryRows * kPageTokens];
    const int vectors = vectors_of(n_keys);
    scores(tile, page.k, page.next_k != nullptr ? page.next_k : page.k, vectors, s);
    if (tile.slope != nullptr) add_slopes(tile, vectors, s);
    for (int r = 0; tile.cap > 0 && r < tile.rows; ++r)
      cap_scores(static_cast<std::size_t>(vectors) * kWidth, tile.cap, s + r * kPageTokens);
    add_values(tile, page, tile.widths.value, n_keys, s, state);
  }

  static int vectors_of(int n_keys) { return (n_keys + kWidth - 1) / kWidth; }

  /// Continues the softmax with the scores `s`, [rows][kPageTokens], of a page and its values, `stride`
  /// elements apart.
  [[gnu::always_inline]] static void add_values(const QueryTile& tile, const KvPage& page, std::size_t stride,
                                                int n_keys, float* s, const SoftmaxState& state) {
    float factors[kMaxQueryRows];
    const int vectors = vectors_of(n_keys);
    int all_first = 0, all_last = n_keys;  // keys that all rows attend to
    for (int r = 0; r < tile.rows; ++r) {
      const int first = tile.first[r], last = std::min(tile.last[r], n_keys);
      factors[r] = weights(s + r * kPageTokens, page.v, vectors, first, last, state.max[r], state.sum[r]);
      all_first = std::max(all_first, first);
      all_last = std::min(all_last, last);
    }
    // 8-bit values are always finite.
    const bool none_hidden = kValue == KvElement::kI8 || (all_first == 0 && all_last == n_keys);
    const std::byte* const next_v = page.next_v != nullptr ? page.next_v : page.v;
    if (none_hidden || hidden_values_are_finite(page.v, stride, all_first, all_last, n_keys))
      return values(tile, s, factors, page.v, next_v, stride, n_keys, state.out);
    // A weight of 0 does not hide a value that is not finite, so each row takes only its own keys. The order
    // of the sums is the same.
    for (int r = 0; r < tile.rows; ++r) {
      const int first = std::clamp(tile.first[r], 0, n_keys);
      const int last = std::clamp(tile.last[r], first, n_keys);
      const auto row = static_cast<std::size_t>(r);
      const QueryTile one{tile.q + row * tile.widths.key, 1, tile.widths, tile.first + r, tile.last + r};
      values(one, s + r * kPageTokens + first, factors + r,
             page.v + static_cast<std::size_t>(first) * stride * bytes_of(kValue), next_v, stride,
             last - first, state.out + row * tile.widths.value);
    }
  }

  /// Stores sixteen elements.
  template <KvElement E>
  static void store(std::byte* at, F x) {
    if constexpr (E == KvElement::kF32) V::store(reinterpret_cast<float*>(at), x);
    if constexpr (E == KvElement::kF16) V::store_f16(at, x);
    if constexpr (E == KvElement::kI8) V::store_i8(at, V::to_int(x));
  }

  /// The scale of a value, and its inverse.
  struct Scale {
    float scale, inverse;
  };
  static Scale scale_of(const float* v, std::size_t width) {
    const Amplitude of_v = amplitude<V>(v, width);
    if (of_v.poison != 0.0F) return {std::numeric_limits<float>::quiet_NaN(), 0.0F};
    const float most = of_v.most;
    return {most / 127.0F, most >= kMinAmplitude ? 127.0F / most : 0.0F};
  }

  static void append(const float* k, const float* v, HeadWidths widths, int token, std::byte* k_page,
                     std::byte* v_page) {
    const auto slot = static_cast<std::size_t>(token);
    std::byte* k_at = k_page + slot / kWidth * widths.key * kVector<kKey> + slot % kWidth * bytes_of(kKey);
    for (std::size_t d = 0; d < widths.key; d += kWidth) {
      std::byte cells[kVector<kKey>];
      store<kKey>(cells, V::load(k + d));
      for (std::size_t i = 0; i < kWidth; ++i)
        std::memcpy(k_at + (d + i) * kVector<kKey>, cells + i * bytes_of(kKey), bytes_of(kKey));
    }
    std::byte* v_at = v_page + kScales + slot * widths.value * bytes_of(kValue);
    float inverse = 1.0F;
    if constexpr (kScales != 0) {
      const Scale of_v = scale_of(v, widths.value);
      std::memcpy(v_page + slot * sizeof(float), &of_v.scale, sizeof(float));
      inverse = of_v.inverse;
    }
    for (std::size_t d = 0; d < widths.value; d += kWidth) {
      F x = V::load(v + d);
      if constexpr (kScales != 0) x = inverse != 0.0F ? V::mul(x, V::set(inverse)) : V::set(0.0F);
      store<kValue>(v_at + d * bytes_of(kValue), x);
    }
  }
};

}  // namespace
}  // namespace partita::internal
