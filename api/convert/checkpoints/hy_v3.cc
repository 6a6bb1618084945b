// Hunyuan 3: mixtures of experts with a shared one.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::hy_v3 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  const std::uint32_t shared = count_shared(fields, "num_shared_experts", config, 1);
  config.shared_ffn = shared * config.expert_ffn;
  config.keys.add("expert_shared_feed_forward_length", config.shared_ffn);
  config.keys.add("expert_weights_norm", fields.flag("route_norm", true));
  config.keys.add("expert_weights_scale",
                  static_cast<float>(fields.number("router_scaling_factor", 1e-6, 1e6, 1)));
  config.keys.add("expert_gating_func", kSigmoidGating);
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.head_norms();
  if (!in.has("mlp.router.gate")) return in.ffn();
  in.mixture("mlp.router.gate");
  in.vector("mlp.expert_bias", "exp_probs_b", in.config().experts);  // without a suffix in model files
  if (in.config().shared_ffn > 0) in.shared_experts("mlp.shared_mlp.");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "hy_v3",
                                        .class_name = "HYV3ForCausalLM",
                                        .architecture = "hy_v3",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::hy_v3
