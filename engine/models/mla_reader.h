// Multi-head latent attention, from the metadata and the tensors of a file.
#pragma once

#include <cstddef>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// Config::latent, and Config::head_dim of such a model; nothing if the file has no latents.
void read_latent_sizes(MetadataReader& in, Config& config);

/// All layers alike, with one RoPE. YaRN also scales the scores (rope.scaling.yarn_log_multiplier).
void read_latent_layers(MetadataReader& in, Config& config);

/// attn_q or attn_q_a and attn_q_b, attn_kv_a_mqa, attn_k_b and attn_v_b, or attn_kv_b in older files, and
/// attn_output. pairs: kLastAdjacent, or kNone if rotated rows are halves.
Mla read_mla(LayerReader& in, const Config& config, std::size_t index, RopePairs pairs);

/// Llama's layer with such attention.
Layer latent_layer(LayerReader& in, const Config& config, std::size_t index, RopePairs pairs);

}  // namespace partita::internal
