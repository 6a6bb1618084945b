// Mamba-2: layers without attention and without FFN.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/state_space.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::mamba2 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.context = kNoContextLimit;
  read_mamba2(fields, config);
}

void layer(LayerCopy& in) {
  in.norm("norm", "attn_norm", in.config().hidden);
  copy_mamba2(in, "mixer.");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "mamba2",
                                        .class_name = "Mamba2ForCausalLM",
                                        .architecture = "mamba2",
                                        .names = kBackboneNames,
                                        .keys = keys,
                                        .layer = layer,
                                        .only_recurrent = true};

}  // namespace partita::internal::checkpoints::mamba2
