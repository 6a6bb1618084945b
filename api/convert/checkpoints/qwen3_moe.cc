// Qwen 3, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::qwen3_moe {
namespace {

void keys(JsonFields& fields, CheckpointConfig& /*config*/) { fields.only("use_sliding_window", false); }

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.head_norms();
  in.mixture();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "qwen3_moe",
                                        .class_name = "Qwen3MoeForCausalLM",
                                        .architecture = "qwen3moe",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::qwen3_moe
