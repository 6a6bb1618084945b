// What the families of Granite 3 share.
#pragma once

#include <cstddef>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// Layers as Llama's, with multipliers of embeddings, scores, residuals and logits.
void read_granite(MetadataReader& in, Config& config);
Layer granite_layer(LayerReader& in, const Config& config, std::size_t index);

}  // namespace partita::internal
