// Gemma 3, text (Gemma Team 2025): norms after attention and FFN, norms of queries and keys, local layers.
#include "engine/models/gemma2.h"
#include "engine/models/llama.h"

namespace partita::internal::models::gemma3 {
namespace {

void read(MetadataReader& in, Config& config) {
  read_gemma_scales(in, 62, config);
  // Five local layers, then a global one. Local layers have a RoPE of a lower, never scaled base.
  const double local_base = in.rope_base("rope.freq_base_swa");
  config.rope = {in.global_rope(config.rope_dims), make_rope(local_base, config.rope_dims)};
  read_local_layers(in, 6, 1, 0, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = gemma2_layer(in, c, index);
  read_head_norms(in, std::get<Attention>(layer.mixer));
  return layer;
}

}  // namespace

extern const Family family = {.name = "gemma3", .read = read, .layer = layer};

}  // namespace partita::internal::models::gemma3
