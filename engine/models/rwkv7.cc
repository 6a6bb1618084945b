// RWKV-7 (Peng et al. 2025): no attention; token shifts before the mixer and before an FFN with a squared
// ReLU.
#include <cmath>
#include <string>
#include <utility>

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"
#include "engine/models/state_space.h"

namespace partita::internal::models::rwkv7 {
namespace {

void read(MetadataReader& in, Config& config) {
  config.layer_kinds.assign(config.layers, LayerKind{0, kNoRope});
  config.activation = GateFunction::kReluSquared;
  config.embedding_norm = true;
  in.count("token_shift_count", 2, 2, 2);
  Rwkv7Sizes& sizes = config.rwkv7;
  sizes.head_dim = in.count("wkv.head_size", 1, Rwkv7::kMaxHead);
  sizes.decay_rank = in.count("attention.decay_lora_rank", 1, kMaxWidth);
  sizes.rate_rank = in.count("attention.iclr_lora_rank", 1, kMaxWidth);
  sizes.mix_rank = in.count("attention.value_residual_mix_lora_rank", 1, kMaxWidth);
  sizes.gate_rank = in.count("attention.gate_lora_rank", 1, kMaxWidth);
  check_state(in, "wkv.head_size", sizes.head_dim, config.hidden_size, config.layers);
  if (config.hidden_size % sizes.head_dim != 0) {
    in.fail(ErrorCode::kBadFile, "wkv.head_size",
            "is " + std::to_string(sizes.head_dim) + ", and must divide the " +
                std::to_string(config.hidden_size) + " of embedding_length");
  }
  for (const LayerSizes& layer : config.layer_sizes) {
    if (layer.ffn == 0) in.fail(ErrorCode::kBadFile, "feed_forward_length", "is 0, and must be at least 1");
  }
}

/// {name}1 and {name}2, and the bias {name}0 if there is one.
LowRank low_rank(LayerReader& in, const Config& c, const std::string& name, std::size_t rank,
                 bool bias = true) {
  LowRank low;
  in.linears({{name + "1", &low.down, rank, c.hidden_size}});
  in.linears({{name + "2", &low.up, c.hidden_size, rank}});
  if (bias) low.up.bias = in.values(name + "0.weight", {c.hidden_size});
  return low;
}

Rwkv7 mixer(LayerReader& in, const Config& c, std::size_t index) {
  const Rwkv7Sizes& sizes = c.rwkv7;
  const std::size_t hidden = c.hidden_size;
  Rwkv7 m;
  m.head_dim = sizes.head_dim;
  m.heads = c.hidden_size / sizes.head_dim;
  m.shifts = in.values("time_mix_lerp_fused.weight", {Rwkv7::kStreams, hidden});
  in.linears({{"time_mix_receptance", &m.r, hidden, hidden}});
  in.linears({{"time_mix_key", &m.k, hidden, hidden}});
  in.linears({{"time_mix_value", &m.v, hidden, hidden}});
  m.decay = low_rank(in, c, "time_mix_w", sizes.decay_rank);
  m.rate = low_rank(in, c, "time_mix_a", sizes.rate_rank);
  m.gate = low_rank(in, c, "time_mix_g", sizes.gate_rank, false);
  if (index > 0) m.mix = low_rank(in, c, "time_mix_v", sizes.mix_rank);
  for (const char* part : {"0", "1", "2"})  // the first layer has them too, and they are not used
    if (index == 0) in.skip(std::string("time_mix_v") + part + ".weight");
  m.key_scale = in.values("time_mix_k_k.weight", {hidden});
  m.rate_scale = in.values("time_mix_k_a.weight", {hidden});
  m.bonus = in.values("time_mix_r_k.weight", {hidden});
  // x / sqrt(mean(x^2) + eps) / sqrt(n), with an epsilon that changes no number but 0.
  m.unit.weight.assign(m.head_dim, 1 / std::sqrt(static_cast<float>(m.head_dim)));
  m.unit.eps = 1e-24F;
  m.norm = in.layer_norm("time_mix_ln", hidden);
  m.norm.groups = m.heads;
  m.norm.eps = 64e-5F;
  in.linears({{"time_mix_output", &m.out, hidden, hidden}});
  return m;
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.norm("attn_norm", c.hidden_size);
  layer.mixer = mixer(in, c, index);
  layer.ffn_shift.norm = in.norm("attn_norm_2", c.hidden_size);
  layer.ffn_shift.weight = in.values("channel_mix_lerp_k.weight", {c.hidden_size});
  Ffn ffn;
  ffn.activation = c.activation;
  const std::size_t width = c.layer_sizes[index].ffn;
  in.linears({{"channel_mix_key", &ffn.up, width, c.hidden_size}});
  in.linears({{"channel_mix_value", &ffn.down, c.hidden_size, width}});
  layer.ffn = std::move(ffn);
  return layer;
}

}  // namespace

extern const Family family = {
    .name = "rwkv7", .norm = NormKind::kLayer, .partial_layers = true, .read = read, .layer = layer};

}  // namespace partita::internal::models::rwkv7
