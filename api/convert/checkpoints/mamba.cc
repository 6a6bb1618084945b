// Mamba: layers without attention and without FFN.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/state_space.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::mamba {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.context = kNoContextLimit;
  read_mamba(fields, config);
  config.keys.add("ssm.dt_b_c_rms", false);
}

void layer(LayerCopy& in) {
  in.norm("norm", "attn_norm", in.config().hidden);
  copy_mamba(in, "mixer.");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "mamba",
                                        .class_name = "MambaForCausalLM",
                                        .architecture = "mamba",
                                        .names = kBackboneNames,
                                        .keys = keys,
                                        .layer = layer,
                                        .only_recurrent = true,
                                        .tied = true};

}  // namespace partita::internal::checkpoints::mamba
