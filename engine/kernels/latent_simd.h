// Attention over a page of latents (multi-head latent attention, DeepSeek-AI 2024), as a template over the
// vector type V. All heads share one key, and its first columns are their value, so a page holds them once,
// token by token. Scores are computed with tokens as rows and queries as columns; the rest is as in
// attention_simd.h.
#pragma once

#include <algorithm>

#include "engine/kernels/attention_simd.h"

namespace partita::internal {
namespace {

template <class V, KvElement E>
struct LatentAttention {
  using Page = PageAttention<V, E == KvElement::kF32 ? KvType::kF32 : KvType::kF16>;
  static_assert(Page::kKey == E && Page::kValue == E);
  static constexpr std::size_t kWidth = Page::kWidth, kTokens = V::kTileRows;

  /// out: [rows][kPageTokens], zero from n_keys to the end of the vector.
  [[gnu::noinline]] static void scores(const QueryTile& tile, const std::byte* page, const std::byte* next,
                                       std::size_t n_keys, float* out) {
    const auto rows = static_cast<std::size_t>(tile.rows), columns = latent_columns(rows);
    const std::size_t width = tile.widths.key;
    alignas(64) float tokens[kTokens * kMaxHeadDim], by_token[kTokens * kMaxQueryRows];
    for (std::size_t t = 0; t < n_keys; t += kTokens) {
      const std::size_t count = std::min(kTokens, n_keys - t);
      for (std::size_t i = 0; i < count * width; i += kWidth) {
        V::store(tokens + i, Page::template load_and_prefetch<E>(page, next, (t * width + i) * bytes_of(E)));
      }
      Page::tiles(
          {count, width, tokens, width, by_token, columns}, 0, static_cast<int>(columns / kWidth),
          [](std::size_t, const float*) { return V::set(0.0F); },
          [&](std::size_t d, int vector) __attribute__((always_inline)) {
            return V::load(tile.q + d * columns + static_cast<std::size_t>(vector) * kWidth);
          });
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t i = 0; i < count; ++i) out[r * kPageTokens + t + i] = by_token[i * columns + r];
      }
    }
    const std::size_t end = static_cast<std::size_t>(Page::vectors_of(static_cast<int>(n_keys))) * kWidth;
    for (std::size_t r = 0; r < rows; ++r)
      std::fill(out + r * kPageTokens + n_keys, out + r * kPageTokens + end, 0.0F);
  }

  static void run(const QueryTile& tile, const KvPage& page, int n_keys, const SoftmaxState& state) {
    alignas(64) float s[kMaxQueryRows * kPageTokens];
    scores(tile, page.k, page.next_k != nullptr ? page.next_k : page.k, static_cast<std::size_t>(n_keys), s);
    Page::add_values(tile, {page.k, page.k}, tile.widths.key, n_keys, s, state);
  }

  static void append(const float* latent, std::size_t width, int token, std::byte* page) {
    std::byte* at = page + static_cast<std::size_t>(token) * width * bytes_of(E);
    for (std::size_t d = 0; d < width; d += kWidth)
      Page::template store<E>(at + d * bytes_of(E), V::load(latent + d));
  }
};

/// Calls f with the attention over latents in a cache of `type`.
template <class V, class F>
void for_latent_type(KvType type, F&& f) {
  if (kv_keys(type) == KvElement::kF32) return f(LatentAttention<V, KvElement::kF32>{});
  return f(LatentAttention<V, KvElement::kF16>{});
}

}  // namespace
}  // namespace partita::internal
