// Nemotron 3 and Minitron: LayerNorm of 1 + w, squared ReLU.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::nemotron {
namespace {

void keys(JsonFields&, CheckpointConfig& config) {
  config.keys.add("rope.scaling.type", "none");
  config.keys.add("attention.layer_norm_rms_epsilon", static_cast<float>(config.norm_eps));
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ungated_ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "nemotron",
                                        .class_name = "NemotronForCausalLM",
                                        .architecture = "nemotron",
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true,
                                        .activation = "relu2",
                                        .norm_offset = 1};

}  // namespace partita::internal::checkpoints::nemotron
