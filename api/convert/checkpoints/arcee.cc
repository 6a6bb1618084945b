// AFM: an FFN without a gate.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::arcee {
namespace {

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ungated_ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "arcee",
                                        .class_name = "ArceeForCausalLM",
                                        .architecture = "arcee",
                                        .layer = layer,
                                        .adjacent_pairs = true,
                                        .activation = "relu2"};

}  // namespace partita::internal::checkpoints::arcee
