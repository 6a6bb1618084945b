// Gemma 3, text (Gemma Team 2025): norms after attention and FFN, norms of queries and keys, local layers.
#include <cmath>

#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models {
namespace {

constexpr std::uint32_t kMaxPeriod = 1024;

/// Queries are scaled by 1 / sqrt(head_dim) in all but the 27 B (query_pre_attn_scalar = hidden / heads =
/// 168). Its file has no key for it; its 62 layers identify it.
float attention_scale(const Config& c) {
  constexpr std::uint32_t kLayersOf27B = 62;
  if (c.layers != kLayersOf27B) return c.attention_scale;
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.hidden_size) / c.heads));
}

/// Five local layers, then a global one. Local layers have a window and a RoPE of a lower, never scaled base.
void read_layer_kinds(MetadataReader& in, Config& config) {
  constexpr std::string_view kPattern = "attention.sliding_window_pattern";  // a period, or one flag a layer
  const std::uint32_t window = in.window();
  const double local_base = in.rope_base("rope.freq_base_swa");
  config.rope = {in.global_rope(config.head_dim), make_rope(local_base, config.head_dim)};
  config.layer_kinds.assign(config.layers, LayerKind{0, 0});
  if (window == 0) return;

  const std::vector<bool> local = in.flags(kPattern, config.layers);
  const std::uint32_t period = local.empty() ? in.count(kPattern, 1, kMaxPeriod, 6) : 1;
  for (std::uint32_t i = 0; i < config.layers; ++i) {
    if (local.empty() ? i % period != period - 1 : local[i]) config.layer_kinds[i] = {window, 1};
  }
}

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kGeluTanh;
  config.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
  config.attention_scale = attention_scale(config);
  read_layer_kinds(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  layer.attention.q_norm = in.rms("attn_q_norm", c.head_dim);
  layer.attention.k_norm = in.rms("attn_k_norm", c.head_dim);
  layer.post = in.rms("post_attention_norm", c.hidden_size);
  layer.ffn_post = in.rms("post_ffw_norm", c.hidden_size);
  return layer;
}

}  // namespace

extern const Family gemma3 = {.name = "gemma3", .read = read, .layer = layer};

}  // namespace partita::internal::models
