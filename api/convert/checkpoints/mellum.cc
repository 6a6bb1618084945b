// Mellum 2: local layers with a RoPE of their own, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/checkpoints/windows.h"

namespace partita::internal::checkpoints::mellum {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_windows(fields, config, {.window = 1024, .period = 1});
  config.keys.add("rope.freq_base_swa", static_cast<float>(config.local_rope_base));
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "mellum",
                                        .class_name = "MellumForCausalLM",
                                        .architecture = "mellum",
                                        .keys = keys,
                                        .layer = copy_normed_routed_layer};

}  // namespace partita::internal::checkpoints::mellum
