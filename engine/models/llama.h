// The layer that most families share, and its parts.
#pragma once

#include <cstddef>
#include <variant>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// Attention without its tensors: sizes, scale, RoPE and window of the layer.
Attention attention_of(const Config& config, std::size_t index);

/// attn_q, attn_k and attn_v, or the three in attn_qkv, and attn_output, with biases where the file has them.
Attention llama_attention(LayerReader& in, const Config& config, std::size_t index, RopePairs pairs);

/// attn_q_norm and attn_k_norm: of each head, or of whole projections.
void read_head_norms(LayerReader& in, Attention& attention);
void read_projection_norms(LayerReader& in, Attention& attention);

/// ffn_gate and ffn_up, or both in ffn_up, and ffn_down.
Ffn llama_ffn(LayerReader& in, const Config& config);

/// A router with the bias exp_probs_b if the file has it, the experts ffn_gate_exps, ffn_up_exps and
/// ffn_down_exps (or ffn_gate_up_exps), and the shared expert if Config::moe has one, without a gate of its
/// own.
Moe llama_moe(LayerReader& in, const Config& config);

/// llama_moe() in layers with a router, llama_ffn() in others: files leave the first layers or every other
/// one dense.
std::variant<Ffn, Moe> llama_feed_forward(LayerReader& in, const Config& config);

/// ffn_up and ffn_down, without a gate.
Ffn ungated_ffn(LayerReader& in, const Config& config, std::size_t index);

/// A layer without its FFN: norms of Config::norm and attention. Where attention and FFN are parallel and the
/// file has no ffn_norm, they share attn_norm.
Layer attention_layer(LayerReader& in, const Config& config, std::size_t index, RopePairs pairs);

/// The same with an FFN without a gate.
Layer ungated_layer(LayerReader& in, const Config& config, std::size_t index, RopePairs pairs);

/// Llama's layer: RMS norm, grouped-query attention with RoPE, RMS norm, gated FFN with Config::activation,
/// or a mixture of such.
Layer llama_layer(LayerReader& in, const Config& config, std::size_t index, RopePairs pairs);

/// All layers alike: one RoPE, and one sliding window if the file has one, for all of them or for those that
/// attention.sliding_window_pattern flags.
void read_uniform_layers(MetadataReader& in, Config& config);

/// All layers alike, without RoPE: positions are learned.
void read_learned_positions(MetadataReader& in, Config& config);

/// Local layers with a window, and global ones, as attention.sliding_window_pattern says (a flag a layer, or
/// a period whose last layer is global). A file without a window has that of `missing_window`; 0: global
/// layers alone. rope_of_local, rope_of_global: for LayerKind::rope.
void read_local_layers(MetadataReader& in, std::uint32_t missing_period, std::uint8_t rope_of_local,
                       std::uint8_t rope_of_global, Config& config, std::uint32_t missing_window = 0);

}  // namespace partita::internal
