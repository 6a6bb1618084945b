// Qwen 3.5 and 3.6, dense: Gated DeltaNet in three of four layers.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/delta_net.h"
#include "api/convert/checkpoints/qwen3_5.h"
#include "api/convert/layer_copy.h"
#include "engine/kernels/kernels.h"

namespace partita::internal {

void read_qwen3_5(JsonFields& fields, CheckpointConfig& config) {
  read_delta_net(fields, config);
  std::vector<std::uint32_t> sections = {11, 11, 10};
  JsonFields rope = fields.object("rope_parameters");
  if (rope.has("mrope_section")) {
    const auto found = rope.integers("mrope_section", 3, 3, 0, kMaxHeadDim);
    sections.assign(found.begin(), found.end());
  }
  sections.push_back(0);
  config.keys.add("rope.dimension_sections", sections);
}

void copy_qwen3_5_mixer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  const auto& d = c.delta_net;
  const std::vector<std::size_t> heads = tiled_heads(c, 1), values = tiled_heads(c, d.value_dim);
  copy_gated_layer(in, heads);
  if (!in.has_tensor("linear_attn.A_log")) return;
  std::vector<std::size_t> qkv = every(0, 1, 2 * std::size_t{d.key_heads} * d.key_dim);
  const std::size_t keys = qkv.size();
  for (const std::size_t row : values) qkv.push_back(keys + row);
  in.ordered_rows("linear_attn.in_proj_qkv", "attn_qkv", qkv, qkv.size(), c.hidden);
  in.ordered_rows("linear_attn.in_proj_z", "attn_gate", values, values.size(), c.hidden);
  in.ordered_rows("linear_attn.in_proj_a", "ssm_alpha", heads, heads.size(), c.hidden);
  in.ordered_rows("linear_attn.in_proj_b", "ssm_beta", heads, heads.size(), c.hidden);
  in.ordered_convolution("linear_attn.conv1d", "ssm_conv1d", qkv, c.conv_width);
  in.ordered_columns("linear_attn.out_proj", "ssm_out", c.hidden, values);
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::qwen3_5_text {
namespace {

void layer(LayerCopy& in) {
  copy_qwen3_5_mixer(in);
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "qwen3_5_text",
                                        .class_name = "Qwen3_5ForCausalLM",
                                        .architecture = "qwen35",
                                        .keys = read_qwen3_5,
                                        .layer = layer,
                                        .ignored = "mtp.",
                                        .rotary_part = 0.25,
                                        .norm_offset = 1};

}  // namespace partita::internal::checkpoints::qwen3_5_text
