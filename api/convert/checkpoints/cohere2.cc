// Command R 7B and A: local layers, no RoPE in global ones.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/cohere.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::cohere2 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_logit_scale(fields, config);
  config.keys.add("attention.sliding_window", fields.count("sliding_window", 1, kMaxContext));
}

void layer(LayerCopy& in) {
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "cohere2",
                                        .class_name = "Cohere2ForCausalLM",
                                        .architecture = "cohere2",
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true,
                                        .tied = true};

}  // namespace partita::internal::checkpoints::cohere2
