// Falcon 1: parallel blocks, one or two LayerNorms.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::falcon {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  fields.only("alibi", false);
  fields.only("parallel_attn", true);
  config.kv_heads = fields.flag("new_decoder_architecture", false)
                        ? fields.count("num_kv_heads", 1, kMaxHeads, config.heads)
                    : fields.flag("multi_query", true) ? 1
                                                       : config.heads;
  config.keys.add("tensor_data_layout", "jploski");
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  if (in.has("ln_mlp")) {
    in.norm("ln_mlp", "attn_norm", c.hidden);
    in.norm("ln_attn", "attn_norm_2", c.hidden);
  } else
    in.norm("input_layernorm", "attn_norm", c.hidden);
  in.grouped_qkv("self_attention.query_key_value", "attn_qkv");
  in.linear("self_attention.dense", "attn_output", c.hidden, c.query_width());
  in.linear("mlp.dense_h_to_4h", "ffn_up", c.ffn, c.hidden);
  in.linear("mlp.dense_4h_to_h", "ffn_down", c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "falcon",
                                        .class_name = "FalconForCausalLM",
                                        .architecture = "falcon",
                                        .names = {.layers = "transformer.h.",
                                                  .embedding = "transformer.word_embeddings",
                                                  .norm = "transformer.ln_f"},
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true,
                                        .usual_ffn = 4,
                                        .tied = true,
                                        .activation = "gelu"};

}  // namespace partita::internal::checkpoints::falcon
