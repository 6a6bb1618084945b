// Qwen 3.5 and 3.6, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/delta_net.h"
#include "api/convert/checkpoints/qwen3_5.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::qwen3_5_moe_text {
namespace {

void layer(LayerCopy& in) {
  copy_qwen3_5_mixer(in);
  copy_gated_mixture(in);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "qwen3_5_moe_text",
                                        .class_name = "Qwen3_5MoeForCausalLM",
                                        .architecture = "qwen35moe",
                                        .keys = read_qwen3_5,
                                        .layer = layer,
                                        .ignored = "mtp.",
                                        .rotary_part = 0.25,
                                        .norm_offset = 1};

}  // namespace partita::internal::checkpoints::qwen3_5_moe_text
