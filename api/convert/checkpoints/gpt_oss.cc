// gpt-oss: attention sinks, biases, experts stored transposed.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::gpt_oss {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  fields.only("swiglu_limit", 7.0);
  config.expert_ffn = config.ffn;
  config.keys.add("expert_feed_forward_length", config.ffn);
  read_windows(fields, config, {.window = 128, .period = 2});
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  in.norm("post_attention_layernorm", "post_attention_norm", in.config().hidden);
  in.attention();
  in.vector("self_attn.sinks", "attn_sinks.weight", c.heads);
  in.router("mlp.router", "ffn_gate_inp", c.experts);
  const std::size_t all = std::size_t{2} * c.ffn;
  in.transposed_experts("mlp.experts.gate_up_proj", "ffn_gate_exps", every(0, 2, c.ffn), all, c.hidden);
  in.transposed_experts("mlp.experts.gate_up_proj", "ffn_up_exps", every(1, 2, c.ffn), all, c.hidden);
  in.transposed_experts("mlp.experts.down_proj", "ffn_down_exps", every(0, 1, c.hidden), c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "gpt_oss",
                                        .class_name = "GptOssForCausalLM",
                                        .architecture = "gpt-oss",
                                        .keys = keys,
                                        .layer = layer,
                                        .yarn_truncates = false};

}  // namespace partita::internal::checkpoints::gpt_oss
