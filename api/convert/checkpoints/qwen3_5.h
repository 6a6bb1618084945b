// What the families of Qwen 3.5 share.
#pragma once

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

/// Sizes of the linear attention, and the sections of a RoPE of several axes.
void read_qwen3_5(JsonFields& fields, CheckpointConfig& config);

/// Norms and mixer of a layer. Model files have the heads of values in another order (tiled_heads).
void copy_qwen3_5_mixer(LayerCopy& in);

}  // namespace partita::internal
