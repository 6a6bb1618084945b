// DeepSeek V3 and R1: latent attention, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/latents.h"

namespace partita::internal::checkpoints::deepseek_v3 {
extern const CheckpointFamily family = {.model_type = "deepseek_v3",
                                        .class_name = "DeepseekV3ForCausalLM",
                                        .architecture = "deepseek2",
                                        .keys = read_latents_and_sigmoid_routing,
                                        .layer = copy_latent_layer,
                                        .yarn_scales = true};

}  // namespace partita::internal::checkpoints::deepseek_v3
