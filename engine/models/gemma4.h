// What Gemma 3n and 4 share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// The activation, and the scales of embedding and scores.
void read_gemma4_scales(Config& config);

/// The earlier layer whose keys and values a layer uses: none, or, in the last attention.shared_kv_layers
/// (or `missing`), the last of its kind that has its own.
void read_shared_layers(MetadataReader& in, Config& config, std::uint32_t missing = 0);

/// A layer with norms before and after attention and FFN, norms of queries, keys and values, and its part of
/// the embeddings per layer; or experts beside the FFN.
Layer gemma4_layer(LayerReader& in, const Config& config, std::size_t index);

}  // namespace partita::internal
