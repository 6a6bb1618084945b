// Gemma 1.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::gemma {
namespace {

void keys(JsonFields& fields, CheckpointConfig& /*config*/) {
  fields.only("use_bidirectional_attention", false);
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "gemma",
                                        .class_name = "GemmaForCausalLM",
                                        .architecture = "gemma",
                                        .keys = keys,
                                        .layer = layer,
                                        .tied = true,
                                        .activation = "gelu_pytorch_tanh",
                                        .other_activation = "gelu",
                                        .norm_offset = 1};

}  // namespace partita::internal::checkpoints::gemma
