// StarCoder: one head of K and V.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/gpt2.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::gpt_bigcode {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  check_gpt2_scores(fields, config);
  if (fields.flag("multi_query", true)) config.kv_heads = 1;
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  copy_gpt2_norms(in);
  in.linear("attn.c_attn", "attn_qkv", c.query_width() + 2 * c.key_width(), c.hidden);
  in.linear("attn.c_proj", "attn_output", c.hidden, c.hidden);
  in.linear("mlp.c_fc", "ffn_up", c.ffn, c.hidden);
  in.linear("mlp.c_proj", "ffn_down", c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "gpt_bigcode",
                                        .class_name = "GPTBigCodeForCausalLM",
                                        .architecture = "starcoder",
                                        .names = kGpt2Names,
                                        .keys = keys,
                                        .layer = layer,
                                        .globals = copy_gpt2_positions,
                                        .layer_norm = true,
                                        .usual_ffn = 4,
                                        .tied = true,
                                        .activation = "gelu_pytorch_tanh"};

}  // namespace partita::internal::checkpoints::gpt_bigcode
