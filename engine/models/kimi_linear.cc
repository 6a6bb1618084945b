// Kimi Linear (Kimi Team 2025): layers of Kimi Delta Attention, whose decay is of every key, and of latent
// attention without RoPE; mixtures of experts.
#include <algorithm>

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"
#include "engine/models/mla_reader.h"
#include "engine/models/qwen35.h"
#include "engine/models/state_space.h"

namespace partita::internal::models::kimi_linear {
namespace {

void read(MetadataReader& in, Config& config) {
  config.layer_kinds.assign(config.layers, LayerKind{0, kNoRope});
  for (std::uint32_t i = 0; i < config.layers; ++i)
    config.layer_kinds[i].recurrent = config.layer_sizes[i].kv_heads == 0;
  RecurrentSizes& sizes = config.recurrent;
  sizes.taps = in.count("ssm.conv_kernel", 1, kMaxTaps);
  sizes.places = in.count("kda.head_dim", 1, std::min(kMaxHeadDim, kMaxWidth / std::max(config.heads, 1U)));
  sizes.heads = sizes.groups = config.heads;
  sizes.width = sizes.heads * sizes.places;
  check_state(in, "kda.head_dim", sizes.places, sizes.width, config.layers);
}

/// The matrix, and its convolution.
CausalConv filtered(LayerReader& in, const Config& c, const char* name, const char* conv_name,
                    Linear& linear) {
  const RecurrentSizes& sizes = c.recurrent;
  in.linears({{name, &linear, sizes.width, c.hidden_size}});
  return in.conv(conv_name, sizes.taps, sizes.width);
}

DeltaNet delta_attention(LayerReader& in, const Config& c) {
  const RecurrentSizes& sizes = c.recurrent;
  const std::size_t dim = sizes.places, width = sizes.width, hidden = c.hidden_size;
  DeltaNet net;
  net.heads = net.key_heads = sizes.heads;
  net.widths = {sizes.places, sizes.places};
  net.q_conv = filtered(in, c, "attn_q", "ssm_conv1d_q", net.q);
  net.k_conv = filtered(in, c, "attn_k", "ssm_conv1d_k", net.k);
  net.v_conv = filtered(in, c, "attn_v", "ssm_conv1d_v", net.v);
  set_unit_norms(net);
  in.linears({{"ssm_f_a", &net.decay_low, dim, hidden},
              {"ssm_g_a", &net.gate_low, dim, hidden},
              {"ssm_beta", &net.beta, sizes.heads, hidden}});
  in.linears({{"ssm_f_b", &net.decay, width, dim}});
  in.linears({{"ssm_g_b", &net.gate, width, dim}});
  net.decay_bias = in.values("ssm_dt.bias", {width});
  for (const float rate : in.values("ssm_a", {sizes.heads}))
    net.decay_rate.insert(net.decay_rate.end(), dim, rate);
  net.norm = in.rms("ssm_norm", dim);
  net.activation = GateFunction::kSigmoid;
  in.linears({{"attn_output", &net.out, hidden, width}});
  return net;
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  if (c.layer_kinds[index].recurrent) {
    layer.mixer = delta_attention(in, c);
  } else {
    layer.mixer = read_mla(in, c, index, RopePairs::kNone);
  }
  layer.ffn = llama_feed_forward(in, c);
  return layer;
}

}  // namespace

extern const Family family = {.name = "kimi-linear", .partial_layers = true, .read = read, .layer = layer};

}  // namespace partita::internal::models::kimi_linear
