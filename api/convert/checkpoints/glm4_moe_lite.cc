// GLM 4.7 Flash: latent attention, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/latents.h"
#include "api/convert/checkpoints/routing.h"

namespace partita::internal::checkpoints::glm4_moe_lite {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_latents(fields, config);
  read_routing(fields, config, "sigmoid");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "glm4_moe_lite",
                                        .class_name = "Glm4MoeLiteForCausalLM",
                                        .architecture = "deepseek2",
                                        .keys = keys,
                                        .layer = copy_latent_layer,
                                        .yarn_scales = true};

}  // namespace partita::internal::checkpoints::glm4_moe_lite
