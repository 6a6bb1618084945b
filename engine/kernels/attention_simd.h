// One page of fused attention, as a template over the vector type V: scores, online softmax, weighted values.
// Milakov & Gimelshein 2018 (online softmax), Dao et al. 2022 (attention by chunks of keys).
#pragma once

#include <limits>

#include "engine/kernels/elementwise_simd.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/matmul_simd.h"

namespace partita {
namespace {

template <class V, KvType Type>
struct PageAttention {
  using F = typename V::F;
  static constexpr std::size_t kElement = Type == KvType::kF16 ? 2 : 4;
  static constexpr int kBlock = 16;  // tokens whose keys lie side by side
  static constexpr int kMaxHeadDim = 256;

  static F load(const std::byte* at) {
    if constexpr (Type == KvType::kF16) return V::load_f16(at);
    return V::load(reinterpret_cast<const float*>(at));
  }

  /// scores: [rows][kPageTokens]
  [[gnu::noinline]] static void scores(const QueryTile& tile, const std::byte* k, int blocks, float* out) {
    alignas(64) float keys[kMaxHeadDim * kBlock];
    const bool share = Type == KvType::kF16 && tile.rows > V::kTileRows;  // convert once for all tiles
    for (int b = 0; b < blocks; ++b) {
      const std::byte* block = k + static_cast<std::size_t>(b * tile.head_dim) * kBlock * kElement;
      if (share) {
        for (int d = 0; d < tile.head_dim; ++d)
          V::store(keys + d * kBlock, load(block + d * kBlock * kElement));
      }
      for_tiles<V>(static_cast<std::size_t>(tile.rows), [&](auto rows, std::size_t row) {
        constexpr int kRows = decltype(rows)::value;
        F acc[kRows];
        for (int r = 0; r < kRows; ++r) acc[r] = V::set(0.0F);
        const float* q = tile.q + row * tile.head_dim;
        if (share) {
          float_tile<V, kRows>(
              q, tile.head_dim, tile.head_dim, [&](std::size_t d) { return V::load(keys + d * kBlock); },
              acc);
        } else {
          float_tile<V, kRows>(
              q, tile.head_dim, tile.head_dim,
              [&](std::size_t d) { return load(block + d * kBlock * kElement); }, acc);
        }
        for (int r = 0; r < kRows; ++r) V::store(out + (row + r) * kPageTokens + b * kBlock, acc[r]);
      });
    }
  }

  /// Turns one row's scores into weights, zero outside [first, last), and updates its maximum and sum.
  /// Returns the factor for what was accumulated before.
  static float weights(float* s, int blocks, int first, int last, float& max, float& sum) {
    const F nothing = V::set(-std::numeric_limits<float>::infinity());
    F most = nothing;
    for (int b = 0; b < blocks; ++b) {
      const F x = V::keep(V::load(s + b * kBlock), first - b * kBlock, last - b * kBlock, nothing);
      V::store(s + b * kBlock, x);
      most = V::max(most, x);
    }
    const float page_max = V::reduce_max(most);
    const float new_max = page_max > max ? page_max : max;
    if (new_max == -std::numeric_limits<float>::infinity() && page_max == new_max) {
      bool any = false;  // nothing visible so far; NaN scores never compare equal and are not hidden here
      for (int b = 0; b < blocks; ++b) any = any || V::has_nan(V::load(s + b * kBlock));
      if (!any) {
        for (int b = 0; b < blocks; ++b) V::store(s + b * kBlock, V::set(0.0F));
        return 1.0F;
      }
    }
    F total = V::set(0.0F);
    for (int b = 0; b < blocks; ++b) {
      const F p = exp2<V>(V::sub(V::load(s + b * kBlock), V::set(new_max)));
      V::store(s + b * kBlock, p);
      total = V::add(total, p);
    }
    const float factor = exp2_one<V>(max - new_max);
    sum = sum * factor + V::reduce_add(total);
    max = new_max;
    return factor;
  }

  /// out[r] = out[r] * factor[r] + sum over keys of weights[r][key] * v[key]
  [[gnu::noinline]] static void values(const QueryTile& tile, const float* weights_of, const float* factors,
                                       const std::byte* v, int n_keys, float* out) {
    alignas(64) float columns[kPageTokens * kBlock];
    const bool share = Type == KvType::kF16 && tile.rows > V::kTileRows;
    const std::size_t stride = static_cast<std::size_t>(tile.head_dim) * kElement;
    for (int d = 0; d < tile.head_dim; d += kBlock) {
      const std::byte* column = v + static_cast<std::size_t>(d) * kElement;
      if (share) {
        for (int k = 0; k < n_keys; ++k) V::store(columns + k * kBlock, load(column + k * stride));
      }
      for_tiles<V>(static_cast<std::size_t>(tile.rows), [&](auto rows, std::size_t row) {
        constexpr int kRows = decltype(rows)::value;
        F acc[kRows];
        float* o = out + row * tile.head_dim + d;
        for (int r = 0; r < kRows; ++r)
          acc[r] = V::mul(V::load(o + r * tile.head_dim), V::set(factors[row + r]));
        const float* w = weights_of + row * kPageTokens;
        if (share) {
          float_tile<V, kRows>(
              w, kPageTokens, n_keys, [&](std::size_t k) { return V::load(columns + k * kBlock); }, acc);
        } else {
          float_tile<V, kRows>(
              w, kPageTokens, n_keys, [&](std::size_t k) { return load(column + k * stride); }, acc);
        }
        for (int r = 0; r < kRows; ++r) V::store(o + r * tile.head_dim, acc[r]);
      });
    }
  }

  static void run(const QueryTile& tile, const KvPage& page, int n_keys, const SoftmaxState& state) {
    alignas(64) float s[kMaxQueryRows * kPageTokens];
    float factors[kMaxQueryRows];
    const int blocks = (n_keys + kBlock - 1) / kBlock;
    scores(tile, page.k, blocks, s);
    for (int r = 0; r < tile.rows; ++r) {
      const int last = tile.last[r] < n_keys ? tile.last[r] : n_keys;
      factors[r] = weights(s + r * kPageTokens, blocks, tile.first[r], last, state.max[r], state.sum[r]);
    }
    values(tile, s, factors, page.v, n_keys, state.out);
  }

  static void append(const float* k, const float* v, int head_dim, int token, std::byte* k_page,
                     std::byte* v_page) {
    std::byte* k_at =
        k_page + (static_cast<std::size_t>(token / kBlock * head_dim) * kBlock + token % kBlock) * kElement;
    std::byte* v_at = v_page + static_cast<std::size_t>(token * head_dim) * kElement;
    for (int d = 0; d < head_dim; d += kBlock) {
      std::byte cells[kBlock * kElement];
      if constexpr (Type == KvType::kF16) {
        V::store_f16(cells, V::load(k + d));
        V::store_f16(v_at + d * kElement, V::load(v + d));
      } else {
        V::store(reinterpret_cast<float*>(v_at + d * kElement), V::load(v + d));
        std::memcpy(cells, k + d, sizeof cells);
      }
      for (int i = 0; i < kBlock; ++i)
        std::memcpy(k_at + (d + i) * kBlock * kElement, cells + i * kElement, kElement);
    }
  }
};

}  // namespace
}  // namespace partita
