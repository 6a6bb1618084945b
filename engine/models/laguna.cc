// Laguna (Poolside 2026): local layers with a RoPE of their own, attention gated by softplus, norms of
// queries and keys, experts chosen by sigmoid with a bias, a shared one.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::laguna {
namespace {

/// One global layer, then three local ones, if the file does not say which are which.
void read(MetadataReader& in, Config& config) {
  constexpr std::uint32_t kPeriod = 4;
  const std::uint32_t local_dims = in.local_rope_dims(config.head_dim);
  config.rope = {in.global_rope(config.rope_dims), make_rope(in.rope_base("rope.freq_base_swa"), local_dims)};
  read_local_layers(in, kPeriod, 1, 0, config);
  const std::uint32_t window = in.window();
  if (window == 0 || in.has("attention.sliding_window_pattern")) return;
  for (std::uint32_t i = 0; i < config.layers; ++i)
    config.layer_kinds[i] = i % kPeriod == 0 ? LayerKind{0, 0} : LayerKind{window, 1};
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  Attention& a = std::get<Attention>(layer.mixer);
  read_head_norms(in, a);
  a.softplus_gate = true;
  in.linears({{"attn_gate", &a.gate, in.has("attn_gate", a.heads) ? a.heads : a.out_width(), c.hidden_size}});
  return layer;
}

}  // namespace

extern const Family family = {
    .name = "laguna", .read = read, .layer = layer, .routing = {.scores = Routing::Scores::kSigmoid}};

}  // namespace partita::internal::models::laguna
