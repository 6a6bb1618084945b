// What the layers of a model keep of a sequence. The shapes decide how the cache is laid out (kv_pool.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "engine/kernels/kernels.h"

namespace partita::internal {

/// Keys and values of the tokens that later tokens attend to.
struct KvShape {
  std::uint32_t heads = 0;
  HeadWidths widths = {};
  /// Sliding window: the token at position p attends to keys with p - key < window, itself included. 0: all
  /// keys before it.
  std::uint32_t window = 0;
  /// Attention sinks: with a window, tokens also attend to the first `sinks` keys. A multiple of kPageTokens.
  std::uint32_t sinks = 0;

  /// Values are the first widths.value columns of the keys, and a page holds both once (latents of
  /// multi-head latent attention).
  bool latent = false;

  /// Of one KV head in one page: what precedes V, and K with V.
  std::size_t key_bytes(KvType type) const { return latent ? 0 : kv_key_bytes(type, widths.key); }
  std::size_t head_bytes(KvType type) const {
    return kv_key_bytes(type, widths.key) + (latent ? 0 : kv_value_bytes(type, widths.value));
  }
};

/// A state of fixed size that every token replaces (convolutions, state-space models, linear attention).
/// Before the first token it is zero.
struct FixedShape {
  std::size_t bytes = 0;
};

using StateShape = std::variant<KvShape, FixedShape>;

/// Bytes that one more token takes, on average over a page and with all keys kept.
std::size_t bytes_per_token(std::span<const StateShape> layers, KvType type);

}  // namespace partita::internal
