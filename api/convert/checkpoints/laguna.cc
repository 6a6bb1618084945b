// Laguna: gated attention with heads of each layer, local layers, mixtures of experts with a shared one.
#include <algorithm>
#include <string>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"
#include "weights/sentence.h"

namespace partita::internal::checkpoints::laguna {
namespace {

void read_heads(JsonFields& fields, CheckpointConfig& config) {
  constexpr const char* kKey = "num_attention_heads_per_layer";
  config.heads_of_layers.assign(config.layers, config.heads);
  if (!fields.has(kKey)) return;
  const std::uint32_t most = std::min(kMaxHeads, kMaxWidth / config.head_dim);
  const auto heads = fields.integers(kKey, config.layers, config.layers, 1, most);
  for (std::size_t i = 0; i < heads.size(); ++i) {
    config.heads_of_layers[i] = static_cast<std::uint32_t>(heads[i]);
    if (config.heads_of_layers[i] % config.kv_heads != 0)
      fields.fail(ErrorCode::kBadFile, kKey,
                  sentence("each must be a multiple of the ", config.kv_heads, " of num_key_value_heads"));
  }
}

void read_experts(JsonFields& fields, CheckpointConfig& config) {
  if (fields.number("moe_router_logit_softcapping", 0, 1e6, 0) != 0)
    fields.fail(ErrorCode::kUnsupported, "moe_router_logit_softcapping", "only 0 can be converted");
  fields.only("moe_apply_router_weight_on_input", false);
  const std::vector<std::string> types = fields.texts("mlp_layer_types", config.layers);
  const auto dense =
      std::find_if(types.begin(), types.end(), [](const auto& type) { return type != "dense"; });
  config.keys.add("leading_dense_block_count", static_cast<std::uint32_t>(dense - types.begin()));
  config.keys.add("expert_weights_norm", true);
  config.keys.add("expert_weights_scale",
                  static_cast<float>(fields.number("moe_routed_scaling_factor", 1e-6, 1e6, 1)));
  config.keys.add("expert_gating_func", kSigmoidGating);
}

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_heads(fields, config);
  read_windows(fields, config, {.window = 512, .period = 1});
  read_experts(fields, config);
  config.keys.add("rope.freq_base_swa", static_cast<float>(config.local_rope_base));
  config.keys.add("rope.dimension_count_swa", config.local_rotary_dim);
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.pre_norms();
  in.attention();
  in.head_norms();
  // A gate of each head, or of each number.
  const bool of_heads = in.rows("self_attn.g_proj") == in.heads();
  in.linear("self_attn.g_proj", "attn_gate", of_heads ? in.heads() : in.query_width(), c.hidden);
  if (in.has("mlp.gate_proj")) return in.ffn();
  in.mixture();
  in.vector("mlp.experts.e_score_correction_bias", "exp_probs_b.bias", c.experts);
  if (c.shared_ffn > 0) in.shared_experts("mlp.shared_expert.");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "laguna",
                                        .class_name = "LagunaForCausalLM",
                                        .architecture = "laguna",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::laguna
