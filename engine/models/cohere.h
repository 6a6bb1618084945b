// What the families of Cohere share: LayerNorm without a bias, attention and FFN in parallel, scaled logits.
#pragma once

#include <cstddef>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// Config::parallel and Config::logit_scale.
void read_cohere(MetadataReader& in, Config& config);

/// The same with local layers of three in four, and no RoPE in the others.
void read_cohere2(MetadataReader& in, Config& config);

}  // namespace partita::internal
