// Ministral 3: queries scaled by position.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"
#include "api/convert/rope_config.h"

namespace partita::internal::checkpoints::ministral3 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  fields.only("sliding_window", {});
  JsonFields rope = rope_scaling(fields);
  config.keys.add("rope.scaling.yarn_log_multiplier",
                  static_cast<float>(rope.number("mscale_all_dim", 0, 1e6, 0)));
  config.keys.add("attention.temperature_scale",
                  static_cast<float>(rope.number("llama_4_scaling_beta", 0, 1e6, 0)));
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "ministral3",
                                        .class_name = "Ministral3ForCausalLM",
                                        .architecture = "mistral3",
                                        .keys = keys,
                                        .layer = layer,
                                        .yarn_scales = true,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::ministral3
