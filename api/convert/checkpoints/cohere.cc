// Command R: parallel blocks, LayerNorm without a bias.
#include "api/convert/checkpoints/cohere.h"
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

void read_logit_scale(JsonFields& fields, CheckpointConfig& config) {
  config.keys.add("logit_scale", static_cast<float>(fields.number("logit_scale", 1e-6, 1e6, 0.0625)));
  config.keys.add("rope.scaling.type", "none");
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::cohere {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) { read_logit_scale(fields, config); }

void layer(LayerCopy& in) {
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  in.attention();
  in.ffn();
  const CheckpointConfig& c = in.config();
  if (in.has("self_attn.q_norm")) {
    in.small("self_attn.q_norm", "attn_q_norm", c.heads, c.head_dim);
    in.small("self_attn.k_norm", "attn_k_norm", c.kv_heads, c.head_dim);
  }
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "cohere",
                                        .class_name = "CohereForCausalLM",
                                        .architecture = "command-r",
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true,
                                        .tied = true};

}  // namespace partita::internal::checkpoints::cohere
