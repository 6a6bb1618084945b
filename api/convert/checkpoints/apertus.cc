// Apertus: xIELU, with numbers of its own in each layer.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::apertus {
namespace {

void layer(LayerCopy& in) {
  in.norm("attention_layernorm", "attn_norm", in.config().hidden);
  in.norm("feedforward_layernorm", "ffn_norm", in.config().hidden);
  in.attention();
  in.head_norms();
  in.ungated_ffn();
}

void globals(LayerCopy& in) {
  in.numbers_of_layers("mlp.act_fn.alpha_p", "xielu.alpha_p");
  in.numbers_of_layers("mlp.act_fn.alpha_n", "xielu.alpha_n");
  in.numbers_of_layers("mlp.act_fn.beta", "xielu.beta");
  in.numbers_of_layers("mlp.act_fn.eps", "xielu.eps");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "apertus",
                                        .class_name = "ApertusForCausalLM",
                                        .architecture = "apertus",
                                        .layer = layer,
                                        .globals = globals,
                                        .activation = "xielu"};

}  // namespace partita::internal::checkpoints::apertus
