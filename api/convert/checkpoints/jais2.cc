// Jais 2.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::jais2 {
namespace {

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ungated_ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "jais2",
                                        .class_name = "Jais2ForCausalLM",
                                        .architecture = "jais2",
                                        .layer = layer,
                                        .layer_norm = true,
                                        .activation = "relu2"};

}  // namespace partita::internal::checkpoints::jais2
