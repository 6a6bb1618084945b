// OLMoE.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::olmoe {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.expert_ffn = config.ffn;
  fields.only("clip_qkv", {});
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.projection_norms();
  in.mixture();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "olmoe",
                                        .class_name = "OlmoeForCausalLM",
                                        .architecture = "olmoe",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::olmoe
