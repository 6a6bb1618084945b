// Gemma 2 (Gemma Team 2024): norms after attention and FFN, soft caps of scores and logits, every other layer
// local.
#include <cmath>

#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models {
namespace {

/// Queries are scaled by 1 / sqrt(head_dim) in all but the 27 B (query_pre_attn_scalar = hidden / heads =
/// 144). Files of llama.cpp have no key for it; its 46 layers identify it.
float usual_scale(const Config& c) {
  constexpr std::uint32_t kLayersOf27B = 46;
  if (c.layers != kLayersOf27B) return c.attention_scale;
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.hidden_size) / c.heads));
}

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kGeluTanh;
  config.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
  config.attention_scale =
      static_cast<float>(in.number("attention.scale", 1e-6, 1e6, static_cast<double>(usual_scale(config))));
  config.attention_softcap = in.softcap("attn_logit_softcapping", 50);
  config.logit_softcap = in.softcap("final_logit_softcapping", 30);
  config.rope = {in.global_rope(config.rope_dims)};
  read_local_layers(in, 2, 0, 0, config, 4096);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  layer.post = in.rms("post_attention_norm", c.hidden_size);
  layer.ffn_post = in.rms("post_ffw_norm", c.hidden_size);
  return layer;
}

}  // namespace

extern const Family gemma2 = {.name = "gemma2", .read = read, .layer = layer};

}  // namespace partita::internal::models
