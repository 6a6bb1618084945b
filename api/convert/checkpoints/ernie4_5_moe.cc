// ERNIE 4.5, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::ernie4_5_moe {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.keys.add("interleave_moe_layer_step", fields.count("moe_layer_interval", 1, kMaxLayers, 1));
  config.keys.add("leading_dense_block_count", fields.count("moe_layer_start_index", 0, kMaxLayers, 0));
  if (const std::uint32_t count = count_shared(fields, "moe_num_shared_experts", config); count > 0) {
    config.shared_ffn = count * config.expert_ffn;
    config.keys.add("expert_shared_count", count);
    config.keys.add("expert_shared_feed_forward_length", config.shared_ffn);
  }
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  copy_routed(in, "mlp.moe_statics.e_score_correction_bias");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "ernie4_5_moe",
                                        .class_name = "Ernie4_5_MoeForCausalLM",
                                        .architecture = "ernie4_5-moe",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::ernie4_5_moe
