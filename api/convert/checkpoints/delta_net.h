// What the families with Gated DeltaNet share: Qwen3-Next and Qwen 3.5.
#pragma once

#include <cstddef>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

/// Sizes of the linear attention, and which layers have it.
void read_delta_net(JsonFields& fields, CheckpointConfig& config);

/// Norms, attention with a gate, or the parts of a linear attention that both families name alike.
/// head_order: of the heads of values.
void copy_gated_layer(LayerCopy& in, const std::vector<std::size_t>& head_order);

/// mlp.experts, and the shared expert with its gate.
void copy_gated_mixture(LayerCopy& in);

/// The heads in the order of Qwen 3.5's model files: of each group, the first heads; then the second ones ...
/// width: of a head.
std::vector<std::size_t> tiled_heads(const CheckpointConfig& config, std::size_t width);

}  // namespace partita::internal
