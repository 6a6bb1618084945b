// MPT: ALiBi, limits of Q, K and V in some.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/mosaic.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::mpt {
namespace {

void check_attention(JsonFields& attention) {
  attention.only("alibi", true);
  for (const char* key : {"qk_ln", "prefix_lm"}) attention.only(key, false);
  attention.only("softmax_scale", {});
}

void keys(JsonFields& fields, CheckpointConfig& config) {
  JsonFields attention = fields.object("attn_config");
  check_attention(attention);
  fields.only("logit_scale", {});
  read_limit(attention, config);
  config.keys.add("attention.max_alibi_bias",
                  static_cast<float>(attention.number("alibi_bias_max", 1e-3, 1e3, 8)));
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.norm("norm_1", "attn_norm", c.hidden);
  in.norm("norm_2", "ffn_norm", c.hidden);
  in.linear("attn.Wqkv", "attn_qkv", c.query_width() + 2 * c.key_width(), c.hidden);
  in.linear("attn.out_proj", "attn_output", c.hidden, c.query_width());
  in.linear("ffn.up_proj", "ffn_up", c.ffn, c.hidden);
  in.linear("ffn.down_proj", "ffn_down", c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "mpt",
                                        .class_name = "MptForCausalLM",
                                        .architecture = "mpt",
                                        .names = kBlockNames,
                                        .other_class_name = "MPTForCausalLM",
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true,
                                        .usual_ffn = 4,
                                        .tied = true,
                                        .activation = "gelu"};

}  // namespace partita::internal::checkpoints::mpt
