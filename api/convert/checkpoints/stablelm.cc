// StableLM: LayerNorm, partial rotary embedding, parallel blocks in the larger ones.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::stablelm {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.keys.add("use_parallel_residual", fields.flag("use_parallel_residual", false));
  if (fields.flag("qk_layernorm", false))
    fields.fail(ErrorCode::kUnsupported, "qk_layernorm", "only models without it can be converted");
}

void layer(LayerCopy& in) {
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  if (in.has("post_attention_layernorm")) in.norm("post_attention_layernorm", "ffn_norm", in.config().hidden);
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "stablelm",
                                        .class_name = "StableLmForCausalLM",
                                        .architecture = "stablelm",
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true};

}  // namespace partita::internal::checkpoints::stablelm
