// EXAONE 4: norms after attention and FFN; hybrid: local layers.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::exaone4 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_windows(fields, config, {.window = 4096, .period = 4, .period_key = "sliding_window_pattern"});
}

void layer(LayerCopy& in) {
  in.attention();
  in.head_norms();
  in.ffn();
  in.norm("post_attention_layernorm", "post_attention_norm", in.config().hidden);
  in.norm("post_feedforward_layernorm", "post_ffw_norm", in.config().hidden);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "exaone4",
                                        .class_name = "Exaone4ForCausalLM",
                                        .architecture = "exaone4",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::exaone4
