// What checkpoints with many small experts share (DeepSeek's names).
#pragma once

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

inline constexpr std::uint32_t kSigmoidGating = 2;  // of expert_gating_func

/// Groups, scale and gating of the router, the number of shared experts, the first layers without a mixture.
/// default_gating: where scoring_func is missing.
void read_routing(JsonFields& fields, CheckpointConfig& config, std::string_view default_gating);

/// The number of shared experts, all of which have no more columns than the engine's limit.
std::uint32_t count_shared(JsonFields& fields, const char* key, const CheckpointConfig& config,
                           std::uint32_t missing = 0);

/// A dense FFN, or mlp.experts, mlp.shared_experts and the router with its bias `bias`, if the layer has one.
void copy_routed(LayerCopy& in, std::string_view bias = "mlp.gate.e_score_correction_bias");

/// A layer of attention with norms of queries and keys, and copy_routed().
void copy_normed_routed_layer(LayerCopy& in);

}  // namespace partita::internal
