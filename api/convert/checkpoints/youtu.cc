// Youtu: latent attention; no experts, in an architecture that has them.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/latents.h"

namespace partita::internal::checkpoints::youtu {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_latents(fields, config);
  config.keys.add("leading_dense_block_count", config.layers);
  config.keys.add("expert_feed_forward_length", config.ffn);
  config.keys.add("expert_shared_count", 0u);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "youtu",
                                        .class_name = "YoutuForCausalLM",
                                        .architecture = "deepseek2",
                                        .keys = keys,
                                        .layer = copy_latent_layer,
                                        .tied = true,
                                        .yarn_scales = true};

}  // namespace partita::internal::checkpoints::youtu
