// GLM 4.7 Flash: latent attention, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/latents.h"

namespace partita::internal::checkpoints::glm4_moe_lite {
extern const CheckpointFamily family = {.model_type = "glm4_moe_lite",
                                        .class_name = "Glm4MoeLiteForCausalLM",
                                        .architecture = "deepseek2",
                                        .keys = read_latents_and_sigmoid_routing,
                                        .layer = copy_latent_layer,
                                        .yarn_scales = true};

}  // namespace partita::internal::checkpoints::glm4_moe_lite
