// DeepSeek V3 and R1: latent attention, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/latents.h"
#include "api/convert/checkpoints/routing.h"

namespace partita::internal::checkpoints::deepseek_v3 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_latents(fields, config);
  read_routing(fields, config, "sigmoid");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "deepseek_v3",
                                        .class_name = "DeepseekV3ForCausalLM",
                                        .architecture = "deepseek2",
                                        .keys = keys,
                                        .layer = copy_latent_layer,
                                        .yarn_scales = true};

}  // namespace partita::internal::checkpoints::deepseek_v3
