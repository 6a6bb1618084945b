// Gemma 4, text: other heads in global layers, embeddings per layer, layers that share keys and values, or
// mixtures of experts beside FFNs.
#include <algorithm>
#include <string>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/gemma.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"
#include "engine/kernels/kernels.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::gemma4_text {
namespace {

/// The heads of global layers: global_head_dim and num_global_key_value_heads, or what per_layer_config says
/// of the first of them.
HeadSizes global_heads(JsonFields& fields, const CheckpointConfig& c, const std::vector<bool>& local) {
  const auto first = std::find(local.begin(), local.end(), false) - local.begin();
  JsonFields layers = fields.object("per_layer_config"), layer = layers.object(std::to_string(first).c_str());
  const auto count = [&](const char* own, const char* global, std::uint32_t most, std::uint32_t missing) {
    return fields.count(global, 1, most, layer.count(own, 1, most, missing));
  };
  const std::uint32_t width = count("head_dim", "global_head_dim", kMaxHeadDim, c.head_dim);
  return {c.heads, count("num_key_value_heads", "num_global_key_value_heads", c.heads, c.kv_heads), width,
          width};
}

/// RoPE of global layers: the first pairs of a head rotate, as many as a part of it has.
void read_global_rope(JsonFields& fields, std::size_t width, CheckpointConfig& c) {
  JsonFields ropes = fields.object("rope_parameters"), rope = ropes.object("full_attention");
  const double part = rope.number("partial_rotary_factor", 0, 1, 1);
  constexpr float kNever = 1e30F;
  const auto rotated = static_cast<std::size_t>(static_cast<double>(width) * part / 2);
  for (std::size_t i = 0; i < width / 2; ++i) c.rope_factors.push_back(i < rotated ? 1 : kNever);
  JsonFields local = ropes.object("sliding_attention");
  c.keys.add("rope.dimension_count_swa",
             static_cast<std::uint32_t>(c.head_dim * local.number("partial_rotary_factor", 0, 1, 1)));
  c.rotary_dim = static_cast<std::uint32_t>(width);
}

void read_layers(JsonFields& fields, const std::vector<bool>& local, CheckpointConfig& c) {
  const HeadSizes global = global_heads(fields, c, local);
  const HeadSizes own = {c.heads, c.kv_heads, c.head_dim, c.head_dim};
  const std::uint32_t shared = read_token_inputs(fields, c);
  const bool wide = fields.flag("use_double_wide_mlp", false);
  for (std::size_t i = 0; i < local.size(); ++i) {
    c.head_sizes.push_back(local[i] ? own : global);
    c.kv_heads_of_layers.push_back(static_cast<std::uint32_t>(c.head_sizes.back().keys));
    c.ffn_of_layers.push_back(wide && i >= local.size() - shared ? 2 * c.ffn : c.ffn);
  }
  const auto all_as_first = [](auto& of_layers) {
    if (std::equal(of_layers.begin() + 1, of_layers.end(), of_layers.begin())) of_layers.clear();
  };
  all_as_first(c.kv_heads_of_layers);
  all_as_first(c.ffn_of_layers);
  c.keys.add("attention.key_length_swa", c.head_dim);
  c.keys.add("attention.value_length_swa", c.head_dim);
  read_global_rope(fields, global.key_dim, c);
  c.head_dim = c.value_dim = static_cast<std::uint32_t>(global.key_dim);
}

void keys(JsonFields& fields, CheckpointConfig& c) {
  const std::vector<bool> local = local_layers(fields, c, {.period = 6});
  c.keys.add("attention.sliding_window", fields.count("sliding_window", 1, kMaxContext));
  c.keys.add("attention.sliding_window_pattern", local);
  c.keys.add("rope.freq_base_swa", static_cast<float>(c.local_rope_base));
  read_layers(fields, local, c);
  if (!fields.flag("enable_moe_block", false)) c.experts = 0;
}

void copy_mixture(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.norm("post_feedforward_layernorm_1", "post_ffw_norm_1", c.hidden);
  in.norm("pre_feedforward_layernorm_2", "pre_ffw_norm_2", c.hidden);
  in.norm("post_feedforward_layernorm_2", "post_ffw_norm_2", c.hidden);
  in.router("router.proj", "ffn_gate_inp", c.experts);
  in.vector("router.scale", "ffn_gate_inp.scale", c.hidden);
  in.vector("router.per_expert_scale", "ffn_down_exps.scale", c.experts);
  in.stacked("experts.gate_up_proj", "ffn_gate_up_exps", c.experts, 2 * c.expert_ffn, c.hidden);
  in.stacked("experts.down_proj", "ffn_down_exps", c.experts, c.hidden, c.expert_ffn);
}

void layer(LayerCopy& in) {
  copy_gemma_norms(in);
  copy_shared_attention(in);
  in.ffn();
  if (in.config().experts > 0) copy_mixture(in);
  if (in.config().token_input_width > 0) copy_token_input(in);
  in.vector("layer_scalar", "layer_output_scale.weight", 1);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "gemma4_text",
                                        .class_name = "Gemma4ForCausalLM",
                                        .architecture = "gemma4",
                                        .keys = keys,
                                        .layer = layer,
                                        .globals = copy_token_inputs,
                                        .tied = true,
                                        .proportional_rope = true,
                                        .activation = "gelu_pytorch_tanh"};

}  // namespace partita::internal::checkpoints::gemma4_text
