// StarCoder 2: LayerNorm, biases, an FFN without a gate.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::starcoder2 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) { read_windows(fields, config); }

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.linear("mlp.c_fc", "ffn_up", in.config().ffn, in.config().hidden);
  in.linear("mlp.c_proj", "ffn_down", in.config().hidden, in.config().ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "starcoder2",
                                        .class_name = "Starcoder2ForCausalLM",
                                        .architecture = "starcoder2",
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true,
                                        .tied = true,
                                        .activation = "gelu_pytorch_tanh"};

}  // namespace partita::internal::checkpoints::starcoder2
