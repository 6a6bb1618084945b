// DBRX: mixtures of experts, limits of Q, K and V.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/mosaic.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::dbrx {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  JsonFields attention = fields.object("attn_config"), ffn = fields.object("ffn_config");
  read_limit(attention, config);
  config.experts = ffn.count("moe_num_experts", 1, kMaxExperts);
  config.expert_ffn = config.ffn;
  config.keys.add("expert_count", config.experts);
  config.keys.add("expert_used_count", ffn.count("moe_top_k", 1, config.experts));
  // The norm by which the weights of the chosen experts are divided.
  const bool normalized = !ffn.is_null("moe_normalize_expert_weights");
  if (ffn.number("moe_normalize_expert_weights", 0, 1e6, 1) != 1)
    ffn.fail(ErrorCode::kUnsupported, "moe_normalize_expert_weights", "only 1 and null can be converted");
  config.keys.add("expert_weights_norm", normalized);
  JsonFields activation = ffn.object("ffn_act_fn");
  if (activation.text("name", "silu") != "silu")
    activation.fail(ErrorCode::kUnsupported, "name", "only 'silu' can be converted");
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.norm("norm_attn_norm.norm_1", "attn_norm", c.hidden);
  in.norm("norm_attn_norm.norm_2", "attn_output_norm", c.hidden);
  in.linear("norm_attn_norm.attn.Wqkv", "attn_qkv", c.query_width() + 2 * c.key_width(), c.hidden);
  in.linear("norm_attn_norm.attn.out_proj", "attn_output", c.hidden, c.query_width());
  in.router("ffn.router.layer", "ffn_gate_inp", c.experts);
  in.flat_experts("ffn.experts.mlp.w1", "ffn_gate_exps", c.ffn, c.hidden);
  in.flat_experts("ffn.experts.mlp.v1", "ffn_up_exps", c.ffn, c.hidden);
  in.transposed_experts("ffn.experts.mlp.w2", "ffn_down_exps", every(0, 1, c.hidden), c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "dbrx",
                                        .class_name = "DbrxForCausalLM",
                                        .architecture = "dbrx",
                                        .names = kBlockNames,
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true};

}  // namespace partita::internal::checkpoints::dbrx
