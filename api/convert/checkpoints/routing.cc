#include "api/convert/checkpoints/routing.h"

#include <algorithm>
#include <string>
#include <vector>

#include "engine/limits.h"

namespace partita::internal {

namespace {

/// How many of the first layers have a dense FFN, by the type of each; none without the types.
void read_layer_types(JsonFields& fields, CheckpointConfig& c) {
  const std::vector<std::string> types = fields.texts("mlp_layer_types", c.layers);
  if (types.empty()) return;
  const auto end = std::find_if(types.begin(), types.end(), [](const auto& type) { return type != "dense"; });
  c.keys.add("leading_dense_block_count", static_cast<std::uint32_t>(end - types.begin()));
}

}  // namespace

std::uint32_t count_shared(JsonFields& fields, const char* key, const CheckpointConfig& c,
                           std::uint32_t missing) {
  return fields.count(key, 0, std::min(kMaxExperts, kMaxFfn / c.expert_ffn), missing);
}

void read_routing(JsonFields& fields, CheckpointConfig& c, std::string_view default_gating) {
  constexpr std::uint32_t kSoftmax = 1;  // of expert_gating_func
  const auto copy = [&](const char* from, std::string_view to, std::uint32_t most) {
    if (fields.has(from)) c.keys.add(to, fields.count(from, 0, most));
  };
  copy("n_group", "expert_group_count", kMaxExperts);
  copy("num_expert_group", "expert_group_count", kMaxExperts);
  copy("topk_group", "expert_group_used_count", kMaxExperts);
  copy("first_k_dense_replace", "leading_dense_block_count", kMaxLayers);
  copy("num_dense_layers", "leading_dense_block_count", kMaxLayers);
  if (!fields.has("first_k_dense_replace") && !fields.has("num_dense_layers")) read_layer_types(fields, c);
  for (const char* scale : {"routed_scaling_factor", "route_scale"}) {
    if (fields.has(scale))
      c.keys.add("expert_weights_scale", static_cast<float>(fields.number(scale, 1e-6, 1e6, 1)));
  }
  const char* shared = fields.has("n_shared_experts") ? "n_shared_experts" : "num_shared_experts";
  if (const std::uint32_t count = count_shared(fields, shared, c); count > 0) {
    c.keys.add("expert_shared_count", count);
    c.shared_ffn = count * c.expert_ffn;
  }
  const char* key =
      fields.first_of({"scoring_func", "score_func", "moe_router_activation_func", "expert_selection_fn"});
  const std::string gating = fields.text(key, default_gating);
  if (gating != "softmax" && gating != "sigmoid")
    fields.fail(ErrorCode::kUnsupported, key, "only 'softmax' and 'sigmoid' can be converted");
  c.keys.add("expert_gating_func", gating == "sigmoid" ? kSigmoidGating : kSoftmax);
}

void copy_routed(LayerCopy& in, std::string_view bias) {
  if (in.has("mlp.gate_proj")) return in.ffn();
  in.mixture();
  if (in.config().shared_ffn > 0) in.shared_experts();
  if (in.has_tensor(bias)) in.vector(bias, "exp_probs_b.bias", in.config().experts);
}

void copy_normed_routed_layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.head_norms();
  copy_routed(in);
}

}  // namespace partita::internal
