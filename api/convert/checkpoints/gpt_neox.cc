// Pythia and GPT-NeoX.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::gpt_neox {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.keys.add("use_parallel_residual", fields.flag("use_parallel_residual", true));
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.pre_norms();
  in.grouped_qkv("attention.query_key_value", "attn_qkv");
  in.linear("attention.dense", "attn_output", c.hidden, c.query_width());
  in.linear("mlp.dense_h_to_4h", "ffn_up", c.ffn, c.hidden);
  in.linear("mlp.dense_4h_to_h", "ffn_down", c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "gpt_neox",
                                        .class_name = "GPTNeoXForCausalLM",
                                        .architecture = "gptneox",
                                        .names = {.layers = "gpt_neox.layers.",
                                                  .embedding = "gpt_neox.embed_in",
                                                  .norm = "gpt_neox.final_layer_norm",
                                                  .head = "embed_out"},
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true,
                                        .activation = "gelu"};

}  // namespace partita::internal::checkpoints::gpt_neox
