// Granite with local layers, mixtures of experts, also with a shared expert.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/granite.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::granitemoe_swa {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.expert_ffn = config.ffn;
  config.shared_ffn = fields.count("shared_intermediate_size", 0, kMaxFfn, 0);
  if (config.shared_ffn > 0) config.keys.add("expert_shared_feed_forward_length", config.shared_ffn);
  read_granite_swa(fields, config);
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.pre_norms();
  in.attention();
  in.vector("self_attn.sinks", "attn_sinks.weight", c.heads);
  in.router("block_sparse_moe.router", "ffn_gate_inp", c.experts);
  in.stacked("block_sparse_moe.experts.gate_up_proj", "ffn_gate_up_exps", c.experts, 2 * c.ffn, c.hidden);
  in.stacked("block_sparse_moe.experts.down_proj", "ffn_down_exps", c.experts, c.hidden, c.ffn);
  if (c.shared_ffn == 0) return;
  in.linear("shared_mlp.input_linear", "ffn_up_shexp", 2 * c.shared_ffn, c.hidden);
  in.linear("shared_mlp.output_linear", "ffn_down_shexp", c.hidden, c.shared_ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "granitemoe_swa",
                                        .class_name = "GraniteMoeSWAForCausalLM",
                                        .architecture = "granite_swa",
                                        .keys = keys,
                                        .layer = layer,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::granitemoe_swa
