// The parts of a transformer layer. A family builds a Layer from them (engine/models/); run_block() computes
// it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

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
  Linear q, k, v;         // [heads * head_dim][hidden], [kv_heads * head_dim][hidden] twice
  Norm q_norm, k_norm;    // [head_dim], of each head, before RoPE
  Linear out;             // [hidden][heads * head_dim]
  std::uint8_t rope = 0;  // index into Config::rope
};

/// Gated feed-forward network: down(activation(gate x) * up x).
struct Ffn {
  Linear gate, up;  // [ffn][hidden]
  Linear down;      // [hidden][ffn]
  GateFunction activation = GateFunction::kSilu;
};

/// x += post(attention(pre(x))); x += ffn_post(ffn(ffn_pre(x))).
struct Layer {
  Norm pre, post;  // [hidden]
  Attention attention;
  Norm ffn_pre, ffn_post;  // [hidden]
  Ffn ffn;

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
