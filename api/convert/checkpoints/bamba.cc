// Bamba: Mamba-2 in most layers, attention in some.
#include <algorithm>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/state_space.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::bamba {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_mamba2(fields, config);
  std::vector<std::int32_t> with_attention;
  if (fields.has("attn_layer_indices"))
    with_attention = fields.integers("attn_layer_indices", 0, config.layers, 0, config.layers - 1);
  read_attention_layers(config, [&](std::size_t i) {
    return std::find(with_attention.begin(), with_attention.end(), static_cast<std::int32_t>(i)) !=
           with_attention.end();
  });
  config.keys.add("rope.scaling.finetuned", true);  // so files say that there is RoPE
}

void layer(LayerCopy& in) {
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  in.norm("pre_ff_layernorm", "ffn_norm", in.config().hidden);
  in.has_attention() ? in.attention() : copy_mamba2(in, "mamba.");
  in.ffn("feed_forward.");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "bamba",
                                        .class_name = "BambaForCausalLM",
                                        .architecture = "granitehybrid",
                                        .names = {.norm = "model.final_layernorm"},
                                        .keys = keys,
                                        .layer = layer,
                                        .rotary_part = 0.5,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::bamba
