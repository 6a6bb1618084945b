// What Granite's families share.
#pragma once

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

/// The multipliers of embedding, attention scores, residuals and logits.
void read_multipliers(JsonFields& fields, CheckpointConfig& config);

/// The same, and which layers are local and which have RoPE.
void read_granite_swa(JsonFields& fields, CheckpointConfig& config);

/// The multipliers, and the widths of experts and of the FFN beside them.
void read_granite_moe(JsonFields& fields, CheckpointConfig& config);

/// A mixture of experts, whose gate and up matrices are stored as one.
void copy_granite_experts(LayerCopy& in);

/// shared_mlp, stored likewise; `after` is at the end of the names in the model file.
void copy_granite_ffn(LayerCopy& in, std::string_view after);

}  // namespace partita::internal
