// Jamba (AI21 2024): layers of Mamba, a few of attention without RoPE, and mixtures of experts in some.
#include <utility>

#include "engine/models/family.h"
#include "engine/models/llama.h"
#include "engine/models/state_space.h"

namespace partita::internal::models::jamba {
namespace {

void read(MetadataReader& in, Config& config) {
  config.layer_kinds.assign(config.layers, LayerKind{0, kNoRope});
  read_mamba(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  if (c.layer_sizes[index].kv_heads > 0) {
    layer.mixer = llama_attention(in, c, index, RopePairs::kNone);
  } else {
    Mamba m = mamba_mixer(in, c);
    m.norm_eps = c.norm_eps;
    m.dt_norm = in.values("ssm_dt_norm.weight", {m.rank});
    m.b_norm = in.values("ssm_b_norm.weight", {m.places});
    m.c_norm = in.values("ssm_c_norm.weight", {m.places});
    layer.mixer = std::move(m);
  }
  layer.ffn = llama_feed_forward(in, c);
  return layer;
}

}  // namespace

extern const Family family = {
    .name = "jamba", .partial_layers = true, .read = read, .layer = layer, .routing = {.normalized = false}};

}  // namespace partita::internal::models::jamba
