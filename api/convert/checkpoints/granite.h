// What Granite's families share.
#pragma once

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

/// The multipliers of embedding, attention scores, residuals and logits.
void read_multipliers(JsonFields& fields, CheckpointConfig& config);

/// A layer with a mixture of experts, whose gate and up matrices are stored as one.
void copy_granite_moe(LayerCopy& in);

}  // namespace partita::internal
