// MiMo V2 Flash: values narrower than keys and scaled, more heads of keys and values in local layers.
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/layer_copy.h"
#include "engine/kernels/kernels.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::mimo_v2_flash {
namespace {

/// Whether each layer is local.
std::vector<bool> hybrid_layers(JsonFields& fields, const CheckpointConfig& c) {
  std::vector<bool> local(c.layers);
  const auto flags = fields.integers("hybrid_layer_pattern", c.layers, c.layers, 0, 1);
  for (std::size_t i = 0; i < flags.size(); ++i) local[i] = flags[i] != 0;
  return local;
}

void keys(JsonFields& fields, CheckpointConfig& c) {
  c.value_dim = fields.count("v_head_dim", 1, kMaxHeadDim, c.head_dim);
  for (const auto& [key, same] :
       {std::pair{"swa_head_dim", c.head_dim}, std::pair{"swa_v_head_dim", c.value_dim},
        std::pair{"swa_num_attention_heads", c.heads}}) {
    if (fields.count(key, 1, kMaxWidth, same) != same)
      fields.fail(ErrorCode::kUnsupported, key, "it must be that of global layers");
  }
  const std::uint32_t local_heads = fields.count("swa_num_key_value_heads", 1, c.heads, c.kv_heads);
  const std::vector<bool> local = hybrid_layers(fields, c);
  for (const bool is_local : local) {
    c.kv_heads_of_layers.push_back(is_local ? local_heads : c.kv_heads);
    c.head_sizes.push_back({c.heads, c.kv_heads_of_layers.back(), c.head_dim, c.value_dim});
  }
  c.keys.add("attention.sliding_window", fields.count("sliding_window", 1, kMaxContext));
  c.keys.add("attention.sliding_window_pattern", local);
  c.keys.add("rope.freq_base_swa",
             static_cast<float>(fields.number("swa_rope_theta", 1, kMaxRopeBase, c.local_rope_base)));
  c.keys.add("attention.value_scale",
             static_cast<float>(fields.number("attention_value_scale", 1e-6, 1e6, 1)));
  c.norm_eps = fields.number("layernorm_epsilon", 1e-19, 1, c.norm_eps);
  read_routing(fields, c, "sigmoid");
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.pre_norms();
  in.attention();
  for (const char* sinks : {"self_attn.attention_sink_bias", "self_attn.sinks"}) {
    if (in.has_tensor(sinks)) in.vector(sinks, "attn_sinks.weight", c.heads);
  }
  copy_routed(in);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "mimo_v2_flash",
                                        .class_name = "MiMoV2FlashForCausalLM",
                                        .architecture = "mimo2",
                                        .keys = keys,
                                        .layer = layer,
                                        .ignored = "model.mtp.",
                                        .rotary_part = 0.334};

}  // namespace partita::internal::checkpoints::mimo_v2_flash
