// BLOOM: ALiBi, a LayerNorm after the embedding.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::bloom {
namespace {

void keys(JsonFields& fields, CheckpointConfig& /*config*/) {
  fields.only("apply_residual_connection_post_layernorm", false);
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.pre_norms();
  in.grouped_qkv("self_attention.query_key_value", "attn_qkv");
  in.linear("self_attention.dense", "attn_output", c.hidden, c.query_width());
  in.linear("mlp.dense_h_to_4h", "ffn_up", c.ffn, c.hidden);
  in.linear("mlp.dense_4h_to_h", "ffn_down", c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "bloom",
                                        .class_name = "BloomForCausalLM",
                                        .architecture = "bloom",
                                        .names = {.layers = "transformer.h.",
                                                  .embedding = "transformer.word_embeddings",
                                                  .norm = "transformer.ln_f"},
                                        .keys = keys,
                                        .layer = layer,
                                        .globals =
                                            [](LayerCopy& in) {
                                              in.norm("transformer.word_embeddings_layernorm",
                                                      "token_embd_norm", in.config().hidden);
                                            },
                                        .layer_norm = true,
                                        .usual_ffn = 4,
                                        .tied = true,
                                        .activation = "gelu"};

}  // namespace partita::internal::checkpoints::bloom
