// The rotary embedding that a config.json describes. Internal to api/.
#pragma once

#include "api/convert/checkpoint_config.h"
#include "api/convert/json_fields.h"

namespace partita::internal {

/// Reads the bases and the scaling: "rope_parameters", of all layers or by their kind, or "rope_theta" and
/// "rope_scaling". Adds their keys. Precondition: head_dim and context are read.
void read_rope(JsonFields& fields, CheckpointConfig& config);

}  // namespace partita::internal
