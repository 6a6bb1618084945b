#include "api/convert/checkpoints/delta_net.h"

#include <algorithm>
#include <string>

#include "engine/kernels/kernels.h"
#include "engine/limits.h"

namespace partita::internal {

void read_delta_net(JsonFields& fields, CheckpointConfig& c) {
  auto& d = c.delta_net;
  d.key_heads = fields.count("linear_num_key_heads", 1, kMaxHeads);
  d.heads = fields.count("linear_num_value_heads", 1, kMaxHeads);
  d.key_dim = fields.count("linear_key_head_dim", 1, std::min(kMaxHeadDim, kMaxWidth / d.key_heads));
  d.value_dim = fields.count("linear_value_head_dim", 1, std::min(kMaxHeadDim, kMaxWidth / d.heads));
  c.conv_width = fields.count("linear_conv_kernel_dim", 2, kMaxTaps);
  if (d.heads % d.key_heads != 0) {
    fields.fail(ErrorCode::kBadFile, "linear_num_value_heads", "must be a multiple of linear_num_key_heads");
    d.heads = d.key_heads;
  }
  c.keys.add("ssm.conv_kernel", c.conv_width);
  c.keys.add("ssm.state_size", d.key_dim);
  c.keys.add("ssm.group_count", d.key_heads);
  c.keys.add("ssm.time_step_rank", d.heads);
  c.keys.add("ssm.inner_size", d.heads * d.value_dim);
  std::vector<bool> recurrent;
  for (const std::string& type : fields.texts("layer_types", c.layers))
    recurrent.push_back(type == "linear_attention");
  const std::uint32_t interval = fields.count("full_attention_interval", 1, kMaxLayers, 4);
  if (recurrent.empty()) {
    for (std::uint32_t i = 0; i < c.layers; ++i) recurrent.push_back(i % interval != interval - 1);
  }
  c.keys.add("attention.recurrent_layers", recurrent);
  c.keys.add("full_attention_interval", interval);
}

std::vector<std::size_t> tiled_heads(const CheckpointConfig& c, std::size_t width) {
  const std::size_t group = c.delta_net.heads / c.delta_net.key_heads;
  std::vector<std::size_t> order;
  for (std::size_t j = 0; j < group; ++j) {
    for (std::size_t g = 0; g < c.delta_net.key_heads; ++g) {
      for (std::size_t i = 0; i < width; ++i) order.push_back((g * group + j) * width + i);
    }
  }
  return order;
}

void copy_gated_layer(LayerCopy& in, const std::vector<std::size_t>& head_order) {
  const CheckpointConfig& c = in.config();
  const auto& d = c.delta_net;
  in.norm("input_layernorm", "attn_norm", c.hidden);
  in.norm("post_attention_layernorm", "post_attention_norm", c.hidden);
  if (!in.has_tensor("linear_attn.A_log")) {
    in.linear("self_attn.q_proj", "attn_q", 2 * c.query_width(), c.hidden);
    in.linear("self_attn.k_proj", "attn_k", c.key_width(), c.hidden);
    in.linear("self_attn.v_proj", "attn_v", c.key_width(), c.hidden);
    in.linear("self_attn.o_proj", "attn_output", c.hidden, c.query_width());
    return in.head_norms();
  }
  in.ordered_vector("linear_attn.A_log", "ssm_a", head_order, true);
  in.ordered_vector("linear_attn.dt_bias", "ssm_dt.bias", head_order);
  in.vector("linear_attn.norm.weight", "ssm_norm.weight", d.value_dim);
}

void copy_gated_mixture(LayerCopy& in) {
  in.mixture();
  in.shared_experts("mlp.shared_expert.");
  in.router("mlp.shared_expert_gate", "ffn_gate_inp_shexp", 1);
}

}  // namespace partita::internal
