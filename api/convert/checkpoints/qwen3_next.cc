// Qwen3-Next: Gated DeltaNet in three of four layers, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/delta_net.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::qwen3_next {
namespace {

/// Rows of in_proj_qkvz, which are for every key head its query, its key, and values and gates of its group:
/// those of `part` (0 queries, 1 keys, 2 values, 3 gates) of all key heads.
void append_part(const CheckpointConfig& c, std::size_t part, std::vector<std::size_t>& order) {
  const auto& d = c.delta_net;
  const std::size_t values = d.heads / d.key_heads * d.value_dim;
  const std::size_t begins[] = {0, d.key_dim, 2 * d.key_dim, 2 * d.key_dim + values,
                                2 * d.key_dim + 2 * values};
  for (std::size_t head = 0; head < d.key_heads; ++head) {
    for (std::size_t i = begins[part]; i < begins[part + 1]; ++i) order.push_back(head * begins[4] + i);
  }
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  const auto& d = c.delta_net;
  copy_gated_layer(in, every(0, 1, d.heads));
  if (in.has_tensor("linear_attn.A_log")) {
    std::vector<std::size_t> qkv, gate;
    for (const std::size_t part : {0, 1, 2}) append_part(c, part, qkv);
    append_part(c, 3, gate);
    const std::size_t rows = qkv.size() + gate.size(), values = gate.size();
    in.ordered_rows("linear_attn.in_proj_qkvz", "attn_qkv", qkv, rows, c.hidden);
    in.ordered_rows("linear_attn.in_proj_qkvz", "attn_gate", gate, rows, c.hidden);
    in.linear("linear_attn.in_proj_ba", "ssm_ba", 2 * d.heads, c.hidden);
    in.convolution("linear_attn.conv1d", "ssm_conv1d", qkv.size(), c.conv_width);
    in.linear("linear_attn.out_proj", "ssm_out", c.hidden, values);
  }
  copy_gated_mixture(in);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "qwen3_next",
                                        .class_name = "Qwen3NextForCausalLM",
                                        .architecture = "qwen3next",
                                        .keys = read_delta_net,
                                        .layer = layer,
                                        .ignored = "mtp.",
                                        .rotary_part = 0.25,
                                        .norm_offset = 1};

}  // namespace partita::internal::checkpoints::qwen3_next
