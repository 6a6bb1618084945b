// Trinity: gated attention, local layers, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::afmoe {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_windows(fields, config, {.window = 1024, .period = 4, .period_key = "global_attn_every_n_layers"});
  read_routing(fields, config, "sigmoid");
  fields.only("mup_enabled", true, true);
}

void layer(LayerCopy& in) {
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  in.norm("post_attention_layernorm", "post_attention_norm", in.config().hidden);
  const CheckpointConfig& c = in.config();
  in.norm("pre_mlp_layernorm", "ffn_norm", c.hidden);
  in.norm("post_mlp_layernorm", "post_ffw_norm", c.hidden);
  in.attention();
  in.head_norms();
  in.linear("self_attn.gate_proj", "attn_gate", c.query_width(), c.hidden);
  if (in.has("mlp.gate_proj")) return in.ffn();
  in.mixture("mlp.router.gate");
  in.vector("mlp.expert_bias", "exp_probs_b.bias", c.experts);
  if (c.shared_ffn > 0) in.shared_experts();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "afmoe",
                                        .class_name = "AfmoeForCausalLM",
                                        .architecture = "afmoe",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::afmoe
