// K-EXAONE: local layers, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::exaone_moe {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_windows(fields, config, {.window = 4096, .period = 4, .period_key = "sliding_window_pattern"});
  read_routing(fields, config, "sigmoid");
  config.keys.add("expert_shared_feed_forward_length", config.shared_ffn);
  config.keys.add("nextn_predict_layers", 0u);
  config.keys.add("rope.scaling.type", "none");
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.head_norms();
  copy_routed(in, "mlp.e_score_correction_bias");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "exaone_moe",
                                        .class_name = "ExaoneMoeForCausalLM",
                                        .architecture = "exaone-moe",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::exaone_moe
