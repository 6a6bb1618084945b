// MiniMax M2.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::minimax_m2 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.expert_ffn = config.ffn;
  config.keys.add("expert_feed_forward_length", config.ffn);
  read_routing(fields, config, "sigmoid");
  if (fields.has("rotary_dim")) config.rotary_dim = fields.count("rotary_dim", 2, config.head_dim);
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.projection_norms();
  in.mixture_of_w("block_sparse_moe.");
  in.vector("block_sparse_moe.e_score_correction_bias", "exp_probs_b.bias", in.config().experts);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "minimax_m2",
                                        .class_name = "MiniMaxM2ForCausalLM",
                                        .architecture = "minimax-m2",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::minimax_m2
