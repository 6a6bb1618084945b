// What checkpoints with layers of Mamba and Mamba-2 share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

/// Names of checkpoints whose layers have a mixer alone.
inline constexpr CheckpointNames kBackboneNames = {
    .layers = "backbone.layers.", .embedding = "backbone.embeddings", .norm = "backbone.norm_f"};

/// The context_length of models without positions, as llama.cpp's converter writes it.
inline constexpr std::uint32_t kNoContextLimit = 1u << 20;

/// The sizes of Mamba and of Mamba-2.
void read_mamba(JsonFields& fields, CheckpointConfig& config);
void read_mamba2(JsonFields& fields, CheckpointConfig& config);

/// The layers that have attention; the others have none.
void read_attention_layers(CheckpointConfig& config, const std::function<bool(std::size_t)>& attends);

/// Whether an element of layer_types or layers_block_type means attention.
inline bool is_attention(std::string_view type) { return type == "attention" || type == "full_attention"; }

/// A layer of Mamba alone.
void copy_mamba_layer(LayerCopy& in);

/// A mixer whose tensors' names begin with `before`.
void copy_mamba(LayerCopy& in, std::string_view before);
void copy_mamba2(LayerCopy& in, std::string_view before);
/// Mamba-2 without in_proj and out_proj.
void copy_mamba2_scan(LayerCopy& in, std::string_view before);

}  // namespace partita::internal
