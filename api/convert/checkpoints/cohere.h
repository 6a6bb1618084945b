// What the families of Command R share.
#pragma once

#include "api/convert/checkpoint_family.h"

namespace partita::internal {

/// The factor of the logits; RoPE is never scaled.
void read_logit_scale(JsonFields& fields, CheckpointConfig& config);

/// Windows of Cohere 2: sliding_window, and the layers that have it.
void read_cohere_windows(JsonFields& fields, CheckpointConfig& config);

}  // namespace partita::internal
