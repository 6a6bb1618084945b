// Sliding windows of layers.
#pragma once

#include <cstdint>
#include <vector>

#include "api/convert/checkpoint_family.h"

namespace partita::internal {

/// Whether each layer is local: layer_types; without it as read_windows() says.
std::vector<bool> local_layers(JsonFields& fields, const CheckpointConfig& config, std::uint32_t period);

/// "attention.sliding_window", and "attention.sliding_window_pattern" if layers differ, from sliding_window,
/// use_sliding_window and layer_types. period: without layer_types the last of every `period` layers is
/// global, the others are local; 1: all are local.
void read_windows(JsonFields& fields, CheckpointConfig& config, std::uint32_t period = 1);

/// no_rope_layers or no_rope_layer_interval: an error unless the last of every four layers has no RoPE, which
/// model files have no key for.
void check_rope_layers(JsonFields& fields, const CheckpointConfig& config);

}  // namespace partita::internal
