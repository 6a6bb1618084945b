// Qwen 1.5 and 2, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::qwen2_moe {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  fields.only("use_sliding_window", false);
  read_windows(fields, config, {.switched = true});
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.mixture();
  in.shared_experts("mlp.shared_expert.");
  in.router("mlp.shared_expert_gate", "ffn_gate_inp_shexp", 1);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "qwen2_moe",
                                        .class_name = "Qwen2MoeForCausalLM",
                                        .architecture = "qwen2moe",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::qwen2_moe
