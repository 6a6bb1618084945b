// Qwen 3.5 (Qwen Team 2026): three layers of Gated DeltaNet (Yang et al. 2025), then one of attention with a
// gated output, and so on. Of the axes of its rotary embedding, text uses one.
#include "engine/models/qwen35.h"

#include <cmath>
#include <string>
#include <utility>

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"
#include "engine/models/state_space.h"

namespace partita::internal {
namespace {

constexpr float kUnitEps = 1e-6F;  // of the L2 norms: files have no key for it

void read_delta_sizes(MetadataReader& in, RecurrentSizes& sizes) {
  constexpr std::string_view kWidth = "ssm.inner_size", kHeads = "ssm.time_step_rank";
  sizes.taps = in.count("ssm.conv_kernel", 1, kMaxTaps);
  sizes.groups = in.count("ssm.group_count", 1, kMaxHeads);
  sizes.heads = in.count(kHeads, 1, kMaxHeads);
  sizes.places = in.count("ssm.state_size", 1, kMaxHeadDim);
  sizes.width = in.count(kWidth, 1, kMaxWidth);
  if (sizes.width % sizes.heads != 0 || sizes.width / sizes.heads > kMaxHeadDim) {
    in.fail(ErrorCode::kBadFile, kWidth,
            "is " + std::to_string(sizes.width) + ", and must be " + std::to_string(sizes.heads) +
                " heads of at most " + std::to_string(kMaxHeadDim));
  }
  if (sizes.groups * sizes.places > kMaxWidth) {
    in.fail(ErrorCode::kBadFile, "ssm.state_size",
            "is " + std::to_string(sizes.places) + " for each of " + std::to_string(sizes.groups) +
                " groups, and the limit for all is " + std::to_string(kMaxWidth));
  }
  if (sizes.heads % sizes.groups != 0) {
    in.fail(ErrorCode::kBadFile, kHeads,
            "is " + std::to_string(sizes.heads) + ", and must be a multiple of the " +
                std::to_string(sizes.groups) + " of ssm.group_count");
  }
}

/// x / |x| * scale
Norm unit_norm(std::size_t size, float scale) {
  const auto n = static_cast<float>(size);
  return {.weight = Vector(size, scale / std::sqrt(n)), .eps = kUnitEps / n};
}

/// Columns [first, first + columns) of a convolution.
CausalConv conv_of(const CausalConv& all, std::size_t first, std::size_t columns) {
  CausalConv conv;
  conv.taps = all.taps;
  conv.columns = static_cast<std::uint32_t>(columns);
  for (std::size_t row = 0; row < all.weight.size(); row += all.columns) {
    const auto begin = all.weight.begin() + static_cast<std::ptrdiff_t>(row + first);
    conv.weight.insert(conv.weight.end(), begin, begin + static_cast<std::ptrdiff_t>(columns));
  }
  return conv;
}

/// beta and decay: matrices of their own, or both in one, in turn for the heads that share a key head.
void read_gates(LayerReader& in, const Config& c, DeltaNet& net) {
  const std::size_t heads = net.heads, group = heads / net.key_heads;
  if (in.has("ssm_ba")) {
    return in.linears(
        {{"ssm_ba", &net.beta, heads, c.hidden_size, RopePairs::kNone, 0, 2 * heads, group},
         {"ssm_ba", &net.decay, heads, c.hidden_size, RopePairs::kNone, group, 2 * heads, group}});
  }
  in.linears(
      {{"ssm_beta", &net.beta, heads, c.hidden_size}, {"ssm_alpha", &net.decay, heads, c.hidden_size}});
}

DeltaNet delta_net(LayerReader& in, const Config& c, bool grouped) {
  DeltaNet net;
  net.heads = c.recurrent.heads;
  net.key_heads = c.recurrent.groups;
  net.grouped = grouped;
  net.widths = {c.recurrent.places, c.recurrent.width / c.recurrent.heads};
  const std::size_t key = net.k_width(), value = net.v_width(), all = 2 * key + value;
  in.linears({{"attn_qkv", &net.q, key, c.hidden_size, RopePairs::kNone, 0, all},
              {"attn_qkv", &net.k, key, c.hidden_size, RopePairs::kNone, key, all},
              {"attn_qkv", &net.v, value, c.hidden_size, RopePairs::kNone, 2 * key, all},
              {"attn_gate", &net.gate, value, c.hidden_size}});
  read_gates(in, c, net);
  const CausalConv conv = in.conv("ssm_conv1d", c.recurrent.taps, static_cast<std::uint32_t>(all));
  net.q_conv = conv_of(conv, 0, key);
  net.k_conv = conv_of(conv, key, key);
  net.v_conv = conv_of(conv, 2 * key, value);
  set_unit_norms(net);
  net.decay_rate = in.values("ssm_a", {net.heads});
  net.decay_bias = in.values("ssm_dt.bias", {net.heads});
  net.norm = in.rms("ssm_norm", net.widths.value);
  in.linears({{"ssm_out", &net.out, c.hidden_size, value}});
  return net;
}

/// Each head's rows of attn_q are followed by those of its gate.
Attention gated_attention(LayerReader& in, const Config& c, std::size_t index) {
  Attention a = attention_of(c, index);
  const std::size_t q = a.q_width(), dim = c.head_dim;
  in.linears({{"attn_q", &a.q, q, c.hidden_size, RopePairs::kHalves, 0, 2 * q, dim},
              {"attn_q", &a.gate, q, c.hidden_size, RopePairs::kNone, dim, 2 * q, dim},
              {"attn_k", &a.k, a.k_width(), c.hidden_size, RopePairs::kHalves},
              {"attn_v", &a.v, a.v_width(), c.hidden_size}});
  read_head_norms(in, a);
  in.linears({{"attn_output", &a.out, c.hidden_size, a.out_width()}});
  return a;
}

Moe mixture(LayerReader& in, const Config& c) {
  Moe moe = llama_moe(in, c);
  if (moe.has_shared()) in.linears({{"ffn_gate_inp_shexp", &moe.shared_gate, 1, c.hidden_size}});
  return moe;
}

}  // namespace

void set_unit_norms(DeltaNet& net) {
  net.q_norm = unit_norm(net.widths.key, 1 / std::sqrt(static_cast<float>(net.widths.key)));
  net.k_norm = unit_norm(net.widths.key, 1);
}

void read_delta_hybrid(MetadataReader& in, Config& config) {
  constexpr std::uint32_t kInterval = 4;
  read_uniform_layers(in, config);
  read_delta_sizes(in, config.recurrent);
  check_state(in, "ssm.state_size", config.recurrent.places, config.recurrent.width, config.layers);
  const std::vector<bool> recurrent = in.flags("attention.recurrent_layers", config.layers);
  const std::uint32_t interval = in.count("full_attention_interval", 1, kMaxLayers, kInterval);
  for (std::uint32_t i = 0; i < config.layers; ++i)
    config.layer_kinds[i].recurrent = recurrent.empty() ? (i + 1) % interval != 0 : recurrent[i];
}

Layer delta_hybrid_layer(LayerReader& in, const Config& c, std::size_t index, bool grouped) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("post_attention_norm", c.hidden_size);
  if (c.layer_kinds[index].recurrent) {
    layer.mixer = delta_net(in, c, grouped);
  } else {
    layer.mixer = gated_attention(in, c, index);
  }
  if (c.moe.experts > 0) {
    layer.ffn = mixture(in, c);
  } else {
    layer.ffn = llama_ffn(in, c);
  }
  return layer;
}

namespace models::qwen35 {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  return delta_hybrid_layer(in, c, index, false);
}

}  // namespace

extern const Family family = {.name = "qwen35", .read = read_delta_hybrid, .layer = layer};

}  // namespace models::qwen35
}  // namespace partita::internal
