// GLM 4 of 2025: norms before and after.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::glm4 {
namespace {

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.norm("post_self_attn_layernorm", "post_attention_norm", in.config().hidden);
  in.norm("post_mlp_layernorm", "post_ffw_norm", in.config().hidden);
  in.linear("mlp.gate_up_proj", "ffn_up", 2 * in.config().ffn, in.config().hidden);
  in.linear("mlp.down_proj", "ffn_down", in.config().hidden, in.config().ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "glm4",
                                        .class_name = "Glm4ForCausalLM",
                                        .architecture = "glm4",
                                        .layer = layer,
                                        .rotary_part = 0.5};

}  // namespace partita::internal::checkpoints::glm4
