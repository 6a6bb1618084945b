// Phi-3 and Phi-4-mini: fused matrices, LongRoPE.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::phi3 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  if (config.long_factors.empty())
    config.keys.add("rope.scaling.original_context_length", config.original_context);
  config.keys.add("attention.sliding_window", fields.count("sliding_window", 0, kMaxContext, 0));
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.pre_norms();
  in.linear("self_attn.qkv_proj", "attn_qkv", c.query_width() + 2 * c.key_width(), c.hidden);
  in.linear("self_attn.o_proj", "attn_output", c.hidden, c.query_width());
  in.linear("mlp.gate_up_proj", "ffn_up", 2 * c.ffn, c.hidden);
  in.linear("mlp.down_proj", "ffn_down", c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "phi3",
                                        .class_name = "Phi3ForCausalLM",
                                        .architecture = "phi3",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::phi3
