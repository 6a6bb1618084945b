// What the hybrids of Gated DeltaNet and gated attention share.
#pragma once

#include <cstddef>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/models/layer_reader.h"
#include "engine/models/metadata_reader.h"

namespace partita::internal {

/// q_norm and k_norm of linear attention: L2 norms, and scores over the root of a key's width.
void set_unit_norms(DeltaNet& net);

/// Sizes of linear attention, and which layers have it: attention.recurrent_layers, or all but each
/// full_attention_interval-th.
void read_delta_hybrid(MetadataReader& in, Config& config);

/// A layer of linear attention, or of attention whose output is gated. grouped: as DeltaNet::grouped, which
/// depends on the order in which files have the heads of values.
Layer delta_hybrid_layer(LayerReader& in, const Config& config, std::size_t index, bool grouped);

}  // namespace partita::internal
