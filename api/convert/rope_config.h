// The rotary embedding that a config.json describes. Internal to api/.
#pragma once

#include "api/convert/checkpoint_config.h"
#include "api/convert/json_fields.h"

namespace partita::internal {

/// Reads the bases and the scaling: "rope_parameters", of all layers or by their kind, or "rope_theta" and
/// "rope_scaling". Adds their keys. Precondition: head_dim and context are read.
/// Where both describe the same layers, they must not contradict each other.
void read_rope(JsonFields& fields, CheckpointConfig& config);

/// The object that describes the scaling of all layers: "rope_parameters" if that has a type or there is no
/// other, or "rope_scaling".
JsonFields rope_scaling(JsonFields& fields);

}  // namespace partita::internal
