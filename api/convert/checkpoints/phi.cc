// Phi 1 and 2: parallel blocks, partial rotary embedding.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::phi {
namespace {

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.norm("input_layernorm", "attn_norm", c.hidden);
  in.rotary("self_attn.q_proj", "attn_q", c.query_width());
  in.rotary("self_attn.k_proj", "attn_k", c.key_width());
  in.linear("self_attn.v_proj", "attn_v", c.key_width(), c.hidden);
  in.linear("self_attn.dense", "attn_output", c.hidden, c.query_width());
  in.linear("mlp.fc1", "ffn_up", c.ffn, c.hidden);
  in.linear("mlp.fc2", "ffn_down", c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "phi",
                                        .class_name = "PhiForCausalLM",
                                        .architecture = "phi2",
                                        .names = {.norm = "model.final_layernorm"},
                                        .layer = layer,
                                        .layer_norm = true,
                                        .activation = "gelu_new"};

}  // namespace partita::internal::checkpoints::phi
