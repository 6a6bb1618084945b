// Mixtral: a mixture of experts in the names of its authors.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"

namespace partita::internal::checkpoints {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.expert_ffn = config.ffn;
  read_windows(fields, config);
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  const CheckpointConfig& c = in.config();
  constexpr std::string_view kExperts = "block_sparse_moe.experts.";
  in.router("block_sparse_moe.gate", "ffn_gate_inp", c.experts);
  in.experts(kExperts, "w1", "ffn_gate_exps", c.ffn, c.hidden);
  in.experts(kExperts, "w2", "ffn_down_exps", c.hidden, c.ffn);
  in.experts(kExperts, "w3", "ffn_up_exps", c.ffn, c.hidden);
}

}  // namespace

extern const CheckpointFamily mixtral = {.model_type = "mixtral",
                                         .class_name = "MixtralForCausalLM",
                                         .architecture = "llama",
                                         .keys = keys,
                                         .layer = layer,
                                         .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints
