// The parts of a transformer layer. A family builds a Layer from them (engine/models/); run_block() computes
// it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/cache/state_shape.h"
#include "engine/kernels/kernels.h"
#include "engine/tensor_loader.h"

namespace partita::internal {

/// RMS norm (Zhang and Sennrich 2019): x / rms(x) * weight. Empty: the layer has no norm here.
struct Norm {
  Vector weight;  // [size] or empty
  float eps = 0;
  bool empty() const { return weight.empty(); }
  std::size_t bytes() const { return weight.size() * sizeof(float); }
};

/// Causal self-attention. Groups of query heads share a head of K and V (GQA).
struct Attention {
  std::uint32_t heads = 0;  // of queries: a multiple of kv.heads
  KvShape kv;
  float scale = 0;        // of the scores
  std::uint8_t rope = 0;  // index into Config::rope
  Linear q, k, v;         // [q_width()][hidden], [k_width()][hidden], [v_width()][hidden]
  Norm q_norm, k_norm;    // [kv.widths.key], of each head, before RoPE
  Linear out;             // [hidden][out_width()]

  std::size_t group() const { return heads / kv.heads; }  // query heads that share a KV head
  std::size_t q_width() const { return std::size_t{heads} * kv.widths.key; }
  std::size_t k_width() const { return std::size_t{kv.heads} * kv.widths.key; }
  std::size_t v_width() const { return std::size_t{kv.heads} * kv.widths.value; }
  std::size_t out_width() const { return std::size_t{heads} * kv.widths.value; }
};

/// Gated feed-forward network: down(activation(gate x) * up x).
struct Ffn {
  Linear gate, up;  // [width()][hidden]
  Linear down;      // [hidden][width()]
  GateFunction activation = GateFunction::kSilu;

  std::size_t width() const { return gate.weight.rows; }
};

/// x += post(attention(pre(x))); x += ffn_post(ffn(ffn_pre(x))).
struct Layer {
  Norm pre, post;  // [hidden]
  Attention attention;
  Norm ffn_pre, ffn_post;  // [hidden]
  Ffn ffn;

  StateShape state_shape() const { return attention.kv; }
  std::array<const Linear*, 7> linears() const {
    return {&attention.q, &attention.k, &attention.v, &attention.out, &ffn.gate, &ffn.up, &ffn.down};
  }
  std::array<const Norm*, 6> norms() const {
    return {&pre, &attention.q_norm, &attention.k_norm, &post, &ffn_pre, &ffn_post};
  }
  /// Bytes of weights.
  std::size_t bytes() const {
    std::size_t bytes = 0;
    for (const Linear* linear : linears()) bytes += linear->bytes();
    for (const Norm* norm : norms()) bytes += norm->bytes();
    return bytes;
  }
};

}  // namespace partita::internal
