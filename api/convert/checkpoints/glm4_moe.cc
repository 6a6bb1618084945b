// GLM 4.5 to 4.7.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::glm4_moe {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) { read_routing(fields, config, "sigmoid"); }

void layer(LayerCopy& in) {
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  in.norm("post_attention_layernorm", "post_attention_norm", in.config().hidden);
  in.attention();
  if (in.has("self_attn.q_norm")) in.head_norms();
  copy_routed(in);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "glm4_moe",
                                        .class_name = "Glm4MoeForCausalLM",
                                        .architecture = "glm4moe",
                                        .keys = keys,
                                        .layer = layer,
                                        .rotary_part = 0.5};

}  // namespace partita::internal::checkpoints::glm4_moe
