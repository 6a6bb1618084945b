// Phi-3.5, mixture of experts: LayerNorm, LongRoPE.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::phimoe {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  fields.only("router_jitter_noise", 0.01);
  config.expert_ffn = config.ffn;
  config.keys.add("attention.layer_norm_rms_epsilon", static_cast<float>(config.norm_eps));
  config.keys.add("attention.sliding_window", fields.count("sliding_window", 0, kMaxContext, 0));
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.mixture_of_w("block_sparse_moe.");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "phimoe",
                                        .class_name = "PhiMoEForCausalLM",
                                        .architecture = "phimoe",
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true};

}  // namespace partita::internal::checkpoints::phimoe
