// GLM 4 of 2024: partial rotary embedding, a fused gate.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::glm {
namespace {

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.linear("mlp.gate_up_proj", "ffn_up", 2 * in.config().ffn, in.config().hidden);
  in.linear("mlp.down_proj", "ffn_down", in.config().hidden, in.config().ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "glm",
                                        .class_name = "GlmForCausalLM",
                                        .architecture = "chatglm",
                                        .layer = layer,
                                        .rotary_part = 0.5};

}  // namespace partita::internal::checkpoints::glm
