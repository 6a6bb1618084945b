// LFM2, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/lfm2.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::lfm2_moe {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_short_convolutions(fields, config);
  config.keys.add("leading_dense_block_count", fields.count("num_dense_layers", 0, kMaxLayers, 0));
  config.keys.add("expert_gating_func", kSigmoidGating);
  config.keys.add("expert_weights_scale",
                  static_cast<float>(fields.number("routed_scaling_factor", 1e-6, 1e6, 1)));
}

void layer(LayerCopy& in) {
  copy_lfm2_mixer(in);
  if (in.has("feed_forward.w1")) return copy_lfm2_ffn(in);
  in.mixture_of_w("feed_forward.");
  if (in.has_tensor("feed_forward.expert_bias"))
    in.vector("feed_forward.expert_bias", "exp_probs_b.bias", in.config().experts);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "lfm2_moe",
                                        .class_name = "Lfm2MoeForCausalLM",
                                        .architecture = "lfm2moe",
                                        .names = {.norm = ""},
                                        .keys = keys,
                                        .layer = layer,
                                        .globals = copy_lfm2_norm,
                                        .tied = true};

}  // namespace partita::internal::checkpoints::lfm2_moe
