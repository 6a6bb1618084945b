// What Gemma 2 and 3 share.
#pragma once

#include <cstddef>

#include "engine/models/family.h"

namespace partita::internal {

/// Activation and scales. Queries are scaled by "attention.scale", or by 1 / sqrt(head_dim) in all but the 27
/// B (query_pre_attn_scalar = hidden / heads): files of llama.cpp have no key for it, and the number of its
/// layers, layers_of_27b, identifies it.
void read_gemma_scales(MetadataReader& in, std::uint32_t layers_of_27b, Config& config);

/// Llama's layer with norms after attention and FFN too.
Layer gemma2_layer(LayerReader& in, const Config& config, std::size_t index);

}  // namespace partita::internal
