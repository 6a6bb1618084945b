// Falcon Mamba: Mamba with norms of the steps, B and C.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/state_space.h"

namespace partita::internal::checkpoints::falcon_mamba {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  constexpr double kEpsilon = 1e-6;  // of the norms; model files have no key for it
  if (fields.number("mixer_rms_eps", 0, 1, kEpsilon) != kEpsilon)
    fields.fail(ErrorCode::kUnsupported, "mixer_rms_eps", "only 1e-06 can be converted");
  config.context = kNoContextLimit;
  read_mamba(fields, config);
  config.keys.add("ssm.dt_b_c_rms", true);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "falcon_mamba",
                                        .class_name = "FalconMambaForCausalLM",
                                        .architecture = "mamba",
                                        .names = kBackboneNames,
                                        .keys = keys,
                                        .layer = copy_mamba_layer,
                                        .only_recurrent = true,
                                        .tied = true};

}  // namespace partita::internal::checkpoints::falcon_mamba
