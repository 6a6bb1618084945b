// Kimi Linear: Kimi Delta Attention in most layers, latent attention in the others; mixtures of experts.
#include <algorithm>
#include <string>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/latents.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/layer_copy.h"
#include "engine/kernels/kernels.h"
#include "engine/limits.h"
#include "weights/sentence.h"

namespace partita::internal::checkpoints::kimi_linear {
namespace {

/// The layers with latent attention: by layer_types, or by their numbers, which begin at 1.
std::vector<std::uint32_t> kv_heads(JsonFields& fields, JsonFields& linear, const CheckpointConfig& c) {
  std::vector<std::uint32_t> heads;
  for (const std::string& type : fields.texts("layer_types", c.layers))
    heads.push_back(type == "full_attention" ? 1 : 0);
  if (!heads.empty()) return heads;
  heads.resize(c.layers);
  for (const std::int32_t number : linear.integers("full_attn_layers", 0, c.layers, 1, c.layers))
    heads[static_cast<std::size_t>(number) - 1] = 1;
  return heads;
}

void keys(JsonFields& fields, CheckpointConfig& c) {
  read_latents(fields, c);
  read_routing(fields, c, "sigmoid");
  JsonFields linear = fields.object("linear_attn_config");
  const auto count = [&](const char* key, const char* other, std::uint32_t max) {
    return linear.has(key) ? linear.count(key, 1, max) : fields.count(other, 1, max);
  };
  c.conv_width = count("short_conv_kernel_size", "linear_conv_kernel_dim", kMaxTaps);
  c.delta_net.key_dim = count("head_dim", "linear_head_dim", std::min(kMaxHeadDim, kMaxWidth / c.heads));
  c.delta_net.heads = count("num_heads", "linear_num_heads", kMaxHeads);
  if (c.delta_net.heads != c.heads) {
    fields.fail(ErrorCode::kUnsupported, "num_attention_heads",
                sentence("the linear attention must have as many, not ", c.delta_net.heads));
  }
  c.kv_heads_of_layers = kv_heads(fields, linear, c);
  c.keys.add("ssm.conv_kernel", c.conv_width);
  c.keys.add("kda.head_dim", c.delta_net.key_dim);
}

/// Kimi Delta Attention.
void copy_delta_attention(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  const std::size_t heads = c.heads, dim = c.delta_net.key_dim, width = heads * dim, hidden = c.hidden;
  for (const char* part : {"q", "k", "v"}) {
    in.linear(sentence("self_attn.", part, "_proj"), sentence("attn_", part), width, hidden);
    in.reshaped(sentence("self_attn.", part, "_conv1d.weight"), sentence("ssm_conv1d_", part, ".weight"),
                {width, 1, c.conv_width}, {1, width, 1, c.conv_width});
  }
  for (const char* part : {"f", "g"}) {
    in.linear(sentence("self_attn.", part, "_a_proj"), sentence("ssm_", part, "_a"), dim, hidden);
    in.linear(sentence("self_attn.", part, "_b_proj"), sentence("ssm_", part, "_b"), width, dim);
  }
  in.linear("self_attn.b_proj", "ssm_beta", heads, hidden);
  in.reshaped("self_attn.A_log", "ssm_a", {1, 1, heads, 1}, {1, 1, heads, 1}, true);
  in.vector("self_attn.dt_bias", "ssm_dt.bias", width);
  in.norm("self_attn.o_norm", "ssm_norm", dim);
  in.linear("self_attn.o_proj", "attn_output", hidden, width);
}

void layer(LayerCopy& in) {
  in.pre_norms();
  if (in.has_tensor("self_attn.A_log")) {
    copy_delta_attention(in);
  } else {
    copy_latent_attention(in);
  }
  for (const char* dense : {"mlp.", "block_sparse_moe."}) {
    if (in.has(sentence(dense, "gate_proj"))) return in.ffn(dense);
  }
  in.mixture_of_w("block_sparse_moe.");
  in.shared_experts("block_sparse_moe.shared_experts.");
  in.vector("block_sparse_moe.gate.e_score_correction_bias", "exp_probs_b.bias", in.config().experts);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "kimi_linear",
                                        .class_name = "KimiLinearForCausalLM",
                                        .architecture = "kimi-linear",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::kimi_linear
