// The configuration (hyperparameters) of a model; engine/models/config_reader.h reads it from metadata.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/layers/norm.h"
#include "engine/layers/query_scale.h"
#include "engine/layers/rope.h"
#include "engine/layers/routing.h"

namespace partita::internal {

/// What differs between layers: attention window and RoPE.
struct LayerKind {
  /// Sliding window: the token at position p attends to keys with p - key < window, itself included. 0: all
  /// keys before it.
  std::uint32_t window = 0;
  std::uint8_t rope = 0;  // index into Config::rope, or kNoRope
  /// Attention sinks: with a window, tokens also attend to the first `sinks` keys. A multiple of the page
  /// size.
  std::uint32_t sinks = 0;
  bool recurrent = false;  // a recurrence instead of attention; what is above means nothing
  std::optional<std::size_t> kv_layer = std::nullopt;  // as Attention::kv_layer
};

/// Sizes of a layer, which differ between the layers of some families. 0: the layer has no attention, no FFN.
struct LayerSizes {
  std::uint32_t heads = 0, kv_heads = 0, ffn = 0, head_dim = 0, value_dim = 0;
};

/// Sizes of a mixture of experts; no experts: the model has none.
struct MoeSizes {
  std::uint32_t experts = 0;
  std::uint32_t ffn_size = 0, shared_ffn_size = 0;
  bool gated = true;
  Routing routing;
};

/// Sizes of recurrent layers: short convolutions and state-space models.
struct RecurrentSizes {
  std::uint32_t taps = 0;               // of the convolution
  std::uint32_t width = 0;              // channels
  std::uint32_t places = 0;             // of the state of a channel
  std::uint32_t heads = 0, groups = 0;  // Mamba-2
  std::uint32_t rank = 0;               // of the steps of Mamba
  bool plain_norms = false;             // Mamba: of its steps and parameters, without weights
};

/// Sizes of RWKV-7: of a head, and the ranks of its projections of low rank.
struct Rwkv7Sizes {
  std::uint32_t head_dim = 0;
  std::uint32_t decay_rank = 0, rate_rank = 0, mix_rank = 0, gate_rank = 0;
};

/// Sizes of multi-head latent attention; no rank: the model has none. The query of a head has
/// Config::head_dim columns, of which the last Config::rope_dims are rotated and share one key.
struct LatentSizes {
  std::uint32_t rank = 0;        // of latents
  std::uint32_t value = 0;       // columns of a head's value
  std::uint32_t query_rank = 0;  // 0: queries are whole
};

struct Config {
  std::string family;      // "llama"
  std::string model_name;  // general.name, or the file's name
  std::uint32_t layers = 0;
  std::uint32_t nextn_layers = 0;  // of the file, after those: they draft tokens; unused
  std::uint32_t hidden_size = 0;
  std::vector<LayerSizes> layer_sizes;  // [layers]
  std::uint32_t ffn_size = 0;           // of these, the largest; 0: all layers have experts
  std::uint32_t heads = 0, kv_heads = 0;
  MoeSizes moe;
  RecurrentSizes recurrent;
  Rwkv7Sizes rwkv7;
  std::uint32_t head_dim = 0;
  std::uint32_t rope_dims = 0;  // of a head, the first: those that RoPE rotates
  LatentSizes latent;
  std::uint32_t token_input_width = 0;  // of what the embedding gives each layer of a token (TokenInputs)
  std::uint32_t versions = 0, active_version = 0;  // of the residual stream (ResidualVersions); 0: none
  std::uint32_t vocab_size = 0;
  std::uint32_t context_length = 0;  // the limit of the model
  NormKind norm = NormKind::kRms;    // of layers and the final one
  float norm_eps = 0;
  std::string_view final_norm = "output_norm";  // the tensor's name
  bool learned_positions = false;               // added to embeddings
  bool embedding_norm = false;                  // of Config::norm, of embeddings
  bool parallel = false;                        // Layer::parallel, of all layers
  float clamp = 0;                              // Attention::clamp
  float embedding_scale = 1;
  float attention_scale = 0;    // 1 / sqrt(head_dim) in most families
  float max_alibi_bias = 0;     // ALiBi: see alibi_slopes(); 0: none
  float value_scale = 1;        // Attention::value_scale
  float residual_scale = 1;     // of what a block adds to the residual stream
  float logit_scale = 1;        // of the logits; multiplied into the final norm
  QueryScale query_scale;       // further, of all layers
  float attention_softcap = 0;  // > 0: scores s become attention_softcap * tanh(s / attention_softcap)
  float logit_softcap = 0;      // the same of logits
  Gate activation;
  std::vector<Xielu> xielu;            // [layers] of Gate::xielu if the activation is that
  std::vector<float> ffn_cutoffs;      // [layers] of Ffn::cutoff; empty: none
  std::vector<LayerKind> layer_kinds;  // [layers]
  std::vector<Rope> rope;              // one; two if local layers have another base
  /// LongRoPE and dynamic scaling: sequences that may have more tokens are rotated otherwise; 0: none are.
  std::uint32_t short_context = 0;

  /// What a sequence that may have up to `tokens` tokens is rotated for (KvSequence::rope_limit()): 0: a
  /// short one; the number of tokens, if RoPE depends on it; otherwise the whole context.
  std::uint32_t rope_limit(std::size_t tokens) const;
};

/// Limits attention to a window and sinks (StreamingLLM, Xiao et al. 2023), so that its cost does not grow
/// with the context: every layer that attends farther than `window` attends to that window and the first
/// `sinks` tokens instead. Precondition: window > 0, sinks a multiple of kPageTokens.
void limit_attention(Config& config, std::uint32_t window, std::uint32_t sinks);

}  // namespace partita::internal
