// The parts of a transformer layer. A family builds a Layer from them (engine/models/); run_block() computes
// it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/cache/state_shape.h"
#include "engine/kernels/kernels.h"
#include "engine/layers/causal_conv.h"
#include "engine/layers/norm.h"
#include "engine/layers/query_scale.h"
#include "engine/layers/recurrent_mixers.h"
#include "engine/layers/routing.h"
#include "engine/layers/rwkv7_parts.h"
#include "engine/tensor_loader.h"

namespace partita::internal {

/// Causal self-attention. Groups of query heads share a head of K and V (GQA).
struct Attention {
  std::uint32_t heads = 0;  // of queries: a multiple of kv.heads
  HeadWidths widths = {};   // of a head
  KvShape kv;               // its widths are these, padded to whole vectors
  std::uint32_t chunk = 0;  // > 0: tokens attend to keys of their own chunk of `chunk` positions
  float scale = 0;          // of the scores
  float softcap = 0;        // > 0: scaled scores s become softcap * tanh(s / softcap)
  QueryScale query_scale;   // a further factor of the scores
  std::uint8_t rope = 0;    // index into Config::rope, or kNoRope
  Vector slopes;            // ALiBi: [heads]; a score gets slope * (key - query position) more; empty: none
  std::size_t state = 0;    // index of its state in the cache (Transformer::states)
  /// The earlier layer whose keys and values these are: k and v are empty, the state is that of the layer.
  std::optional<std::size_t> kv_layer;
  Linear q, k, v;   // [q_width()][hidden], [k_width()][hidden], [v_width()][hidden]; no v: k before its norm
  float clamp = 0;  // > 0: q, k and v are limited to [-clamp, clamp]
  float value_scale = 1;    // of v
  Norm q_norm, k_norm;      // [widths.key], of each head, or before RoPE [q_width()], [k_width()]
  Norm v_norm;              // [widths.value], of each head
  bool rope_first = false;  // RoPE comes before the norms of heads, not after them
  Linear gate;  // [out_width()] or [heads] rows of hidden: multiplies what attention gives; empty: none
  bool softplus_gate = false;  // by softplus(gate x), not by sigmoid(gate x)
  Vector sink_logits;          // [heads]: each joins the softmax of its head without a value; empty: none
  Linear out;                  // [hidden][out_width()]

  std::size_t group() const { return heads / kv.heads; }      // query heads that share a KV head
  std::size_t projection_width() const { return q_width(); }  // of rows of Workspace::q
  std::size_t q_width() const { return std::size_t{heads} * widths.key; }
  std::size_t k_width() const { return std::size_t{kv.heads} * widths.key; }
  std::size_t v_width() const { return std::size_t{kv.heads} * widths.value; }
  std::size_t out_width() const { return std::size_t{heads} * widths.value; }
  StateShape state_shape() const { return kv; }
  std::vector<const Linear*> linears() const { return {&q, &k, &v, &gate, &out}; }
  std::vector<const Norm*> norms() const { return {&q_norm, &k_norm, &v_norm}; }
};

/// Multi-head latent attention (mla.h). As an Attention, all heads share one key, a latent and its rotated
/// part, whose first columns, the latent, are their value; `k` and k_norm make it.
struct Mla : Attention {
  HeadWidths head = {};  // of a head's query, whose last columns are rotated, and of its value
  Linear q_a;            // [rank][hidden]: queries of low rank, which q multiplies after q_norm; or empty
  std::vector<Linear> k_b, v_b;  // [heads]: [widths.value][head.key - rotated()], [head.value][widths.value]

  bool low_rank() const { return q_a.weight.rows != 0; }
  std::size_t rotated() const { return widths.key - widths.value; }
  std::vector<const Linear*> linears() const;
};

/// Feed-forward network, gated: down(activation(gate x) * up x), or without a gate: down(activation(up x)).
struct Ffn {
  Linear gate, up;  // [width()][hidden]; an empty gate: none
  Linear down;      // [hidden][width()]
  Gate activation;
  /// Gate x becomes max(0, gate x - its mean - cutoff * its standard deviation), over the row; -infinity: it
  /// stays.
  float cutoff = -std::numeric_limits<float>::infinity();

  bool gated() const { return gate.weight.rows != 0; }
  std::size_t width() const { return up.weight.rows; }
};

/// A mixture of experts: of many FFNs, each token goes through a few.
struct Moe {
  Linear router;             // [experts][hidden]
  Norm router_norm;          // of what the router reads; empty: it reads what the experts read
  Vector choice_bias;        // [experts] of route(), or empty
  Vector expert_scale;       // [experts], of their weights; empty: 1
  std::vector<Ffn> experts;  // of one width
  Routing routing;
  Norm pre;                // of what the experts read; empty: they read what the shared expert reads
  Norm post, shared_post;  // of what the experts and the shared one give, before their sum; both or none
  Ffn shared;              // every token goes through it too; empty: none
  Linear shared_gate;      // [1][hidden]: its output is weighed by sigmoid(shared_gate x); empty: by 1
  float shared_scale = 1;  // of its output

  bool has_shared() const { return shared.up.weight.rows != 0; }
};

/// Layers of an FFN alone have no mixer.
struct NoMixer {
  Linear out;  // empty
  std::size_t projection_width() const { return 0; }
  std::vector<const Linear*> linears() const { return {}; }
  std::vector<const Norm*> norms() const { return {}; }
};

/// Linear attention: a matrix state for each head that changes by the gated delta rule (Kernels::delta_rule).
/// Gated DeltaNet (Yang et al. 2025) has one decay for a head, Kimi Delta Attention (Kimi Team 2025) one for
/// each key.
struct DeltaNet {
  std::uint32_t heads = 0, key_heads = 0;  // of values; of queries and keys: a divisor
  bool grouped = true;     // neighbouring heads share a key head; otherwise those with the same remainder do
  HeadWidths widths = {};  // of a head
  std::size_t state = 0;   // index of its state in the cache (Transformer::states)
  Linear q, k, v;          // [k_width()][hidden] twice, [v_width()][hidden]
  CausalConv q_conv, k_conv, v_conv;  // of their rows, before SiLU
  Norm q_norm, k_norm;                // L2 norms of each head; q's scales the output
  Linear beta;                        // [heads][hidden], before its sigmoid
  Linear decay_low, decay;  // [heads] or [k_width()] rows, of hidden, or of decay_low's rows if it is there
  Vector decay_bias, decay_rate;  // [rows of decay] (Kernels::decay)
  Linear gate_low, gate;          // [v_width()] rows, of hidden, or of gate_low's rows if it is there
  Norm norm;                      // of each head's output, before the gate
  GateFunction activation = GateFunction::kSilu;  // of the gate
  Linear out;                                     // [hidden][v_width()]

  std::size_t projection_width() const { return k_width(); }  // of rows of Workspace::q
  std::size_t k_width() const { return std::size_t{key_heads} * widths.key; }
  std::size_t v_width() const { return std::size_t{heads} * widths.value; }
  std::size_t key_head(std::size_t head) const {
    return grouped ? head / (heads / key_heads) : head % key_heads;
  }
  bool decay_of_key() const { return decay_rate.size() > heads; }

  /// The state: the matrix of each head, then the last inputs of the convolutions.
  std::size_t head_bytes() const { return DeltaTokens::state_size(widths.key, widths.value) * sizeof(float); }
  std::size_t conv_offset() const { return heads * head_bytes(); }
  StateShape state_shape() const {
    return FixedShape{conv_offset() + q_conv.state_bytes() + k_conv.state_bytes() + v_conv.state_bytes()};
  }
  std::vector<const Linear*> linears() const {
    return {&q, &k, &v, &beta, &decay_low, &decay, &gate_low, &gate, &out};
  }
  std::vector<const Norm*> norms() const { return {&q_norm, &k_norm, &norm}; }
};

/// Attention and Mamba-2 of the same rows; their outputs are added (Falcon-H1).
struct AttentionAndMamba2 {
  Attention attention;
  Mamba2 mamba2;

  std::size_t projection_width() const {
    return std::max(attention.projection_width(), mamba2.projection_width());
  }
  std::vector<const Linear*> linears() const {
    std::vector<const Linear*> all = attention.linears();
    all.insert(all.end(), {&mamba2.in, &mamba2.out});
    return all;
  }
  std::vector<const Norm*> norms() const { return attention.norms(); }
};

/// What mixes the tokens of a sequence: rows of its inner width, which the matrix `out` turns into [hidden].
using Mixer =
    std::variant<NoMixer, Attention, Mla, ShortConv, Mamba, Mamba2, AttentionAndMamba2, DeltaNet, Rwkv7>;

/// x += post(proj(activation(gate x) * input)), where input is what the embedding gives the layer of each
/// token (TokenInputs).
struct TokenInput {
  Linear gate;  // [TokenInputs::width][hidden]; empty: the layer reads no input
  Linear proj;  // [hidden][TokenInputs::width]
  Norm post;    // [hidden]
  Gate activation;
  bool empty() const { return gate.weight.rows == 0; }
};

/// Alternating updates of versions of the residual stream (altup.h), by coefficients of tanh(router norm(x)).
struct AltUp {
  Norm router_norm;      // [hidden]
  Vector router;         // [versions][hidden]
  Vector predict;        // [versions * versions][versions]
  Vector correct;        // [versions][versions]
  Vector correct_scale;  // [hidden]
  bool empty() const { return router.empty(); }
  std::size_t bytes() const {
    return (router.size() + predict.size() + correct.size() + correct_scale.size()) * sizeof(float) +
           router_norm.bytes();
  }
};

/// A residual connection of low rank (laurel.h).
struct Laurel {
  Linear left, right;  // [rank][hidden], [hidden][rank]; empty: none
  Norm post;           // [hidden]
  bool empty() const { return left.weight.rows == 0; }
};

/// x += scale * post(mixer(pre(x))); x *= mixed_scale; x += scale * ffn_post(ffn(ffn_pre(x))); token_input; x
/// *= output_scale. A layer may lack each: NoMixer, an FFN of no width.
struct Layer {
  Norm pre, post;  // [hidden]
  Mixer mixer;
  Norm ffn_pre, ffn_post;  // [hidden]
  TokenShift ffn_shift;    // of what the FFN reads, in the place of ffn_pre; empty: none
  std::variant<Ffn, Moe> ffn;
  TokenInput token_input;
  AltUp altup;               // around all of these
  Laurel laurel;             // beside the mixer
  float residual_scale = 1;  // of what mixer and FFN add
  float mixed_scale = 1;     // of x after the mixer
  float output_scale = 1;
  bool parallel = false;  // the FFN reads the same rows as the mixer

  bool has_mixer() const { return !std::holds_alternative<NoMixer>(mixer); }
  bool has_ffn() const {
    const auto* one = std::get_if<Ffn>(&ffn);
    return one == nullptr || one->width() > 0;
  }
  /// The attention of the mixer, or null.
  const Attention* attention() const {
    if (const auto* both = std::get_if<AttentionAndMamba2>(&mixer)) return &both->attention;
    if (const auto* latent = std::get_if<Mla>(&mixer)) return latent;
    return std::get_if<Attention>(&mixer);
  }
  /// The matrix that the rows of Workspace::mixed are multiplied by.
  const Linear& out() const {
    return std::visit(
        [](const auto& m) -> const Linear& {
          if constexpr (requires { m.attention; }) {
            return m.attention.out;
          } else {
            return m.out;
          }
        },
        mixer);
  }
  /// What a mixer computes between its matrices, for messages.
  const char* mixing() const;
  /// All linear layers that are there.
  std::vector<const Linear*> linears() const;
  std::vector<const Norm*> norms() const;
  /// Bytes of the weights that one token reads.
  std::size_t bytes_per_token() const;
};

}  // namespace partita::internal
