// What checkpoints with many small experts share (DeepSeek's names).
#pragma once

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

inline constexpr std::uint32_t kSigmoidGating = 2;  // of expert_gating_func

/// Groups, scale and gating of the router, the number of shared experts, the first layers without a mixture.
/// default_gating: where scoring_func is missing.
void read_routing(JsonFields& fields, CheckpointConfig& config, std::string_view default_gating);

/// A dense FFN, or mlp.experts, mlp.shared_experts and the router with its bias `bias`, if the layer has one.
void copy_routed(LayerCopy& in, std::string_view bias = "mlp.gate.e_score_correction_bias");

}  // namespace partita::internal
