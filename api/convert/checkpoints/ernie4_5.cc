// ERNIE 4.5, dense.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::ernie4_5 {
namespace {

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "ernie4_5",
                                        .class_name = "Ernie4_5ForCausalLM",
                                        .architecture = "ernie4_5",
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::ernie4_5
