// The layer that most families share.
#pragma once

#include <cstddef>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// Llama's layer: RMS norm, grouped-query attention with RoPE, RMS norm, gated FFN with Config::activation.
Layer llama_layer(LayerReader& in, const Config& config, std::size_t index, RopePairs pairs);

/// All layers alike: one RoPE, and one sliding window for all of them if the file has one.
void read_uniform_layers(MetadataReader& in, Config& config);

}  // namespace partita::internal
