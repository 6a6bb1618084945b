// Granite 3, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/granite.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

void copy_granite_experts(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.router("block_sparse_moe.router.layer", "ffn_gate_inp", c.experts);
  in.halves("block_sparse_moe.input_linear", "ffn_gate_exps", "ffn_up_exps", c.experts, c.ffn, c.hidden);
  in.stacked("block_sparse_moe.output_linear", "ffn_down_exps", c.experts, c.hidden, c.ffn);
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::granitemoe {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.expert_ffn = config.ffn;
  read_multipliers(fields, config);
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  copy_granite_experts(in);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "granitemoe",
                                        .class_name = "GraniteMoeForCausalLM",
                                        .architecture = "granitemoe",
                                        .keys = keys,
                                        .layer = layer,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::granitemoe
