// What the families of Nemotron-H share.
#pragma once

#include <cstddef>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// Layers of one part each: Mamba-2, attention without RoPE, or an FFN or a mixture of experts.
void read_nemotron_h(MetadataReader& in, Config& config);
Layer nemotron_h_layer(LayerReader& in, const Config& config, std::size_t index);

}  // namespace partita::internal
