// What the families of LFM2 share.
#pragma once

#include <cstddef>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// Gated short convolutions in layers without heads of K and V, attention with norms of heads in others.
void read_lfm2(MetadataReader& in, Config& config);
Layer lfm2_layer(LayerReader& in, const Config& config, std::size_t index);

}  // namespace partita::internal
