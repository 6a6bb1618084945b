// Mamba: layers without attention and without FFN.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/state_space.h"

namespace partita::internal::checkpoints::mamba {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.context = kNoContextLimit;
  read_mamba(fields, config);
  config.keys.add("ssm.dt_b_c_rms", false);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "mamba",
                                        .class_name = "MambaForCausalLM",
                                        .architecture = "mamba",
                                        .names = kBackboneNames,
                                        .keys = keys,
                                        .layer = copy_mamba_layer,
                                        .only_recurrent = true,
                                        .tied = true};

}  // namespace partita::internal::checkpoints::mamba
