// What Gemma 2 and 3 share.
#pragma once

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

/// query_pre_attn_scalar: attention scores are divided by its root.
void read_query_scalar(JsonFields& fields, CheckpointConfig& config);

/// Attention and FFN with norms before and after.
void copy_gemma2(LayerCopy& in);

}  // namespace partita::internal
