// Gemma 3, text (Gemma Team 2025): norms after attention and FFN, norms of queries and keys, local layers.
#include <cmath>

#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models {
namespace {

/// Queries are scaled by 1 / sqrt(head_dim) in all but the 27 B (query_pre_attn_scalar = hidden / heads =
/// 168). Files of llama.cpp have no key for it; its 62 layers identify it.
float usual_scale(const Config& c) {
  constexpr std::uint32_t kLayersOf27B = 62;
  if (c.layers != kLayersOf27B) return c.attention_scale;
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.hidden_size) / c.heads));
}

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kGeluTanh;
  config.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
  config.attention_scale =
      static_cast<float>(in.number("attention.scale", 1e-6, 1e6, static_cast<double>(usual_scale(config))));
  // Five local layers, then a global one. Local layers have a RoPE of a lower, never scaled base.
  const double local_base = in.rope_base("rope.freq_base_swa");
  config.rope = {in.global_rope(config.rope_dims), make_rope(local_base, config.rope_dims)};
  read_local_layers(in, 6, 1, 0, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  read_head_norms(in, std::get<Attention>(layer.mixer));
  layer.post = in.rms("post_attention_norm", c.hidden_size);
  layer.ffn_post = in.rms("post_ffw_norm", c.hidden_size);
  return layer;
}

}  // namespace

extern const Family gemma3 = {.name = "gemma3", .read = read, .layer = layer};

}  // namespace partita::internal::models
