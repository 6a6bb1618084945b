// MiMo-V2 (Xiaomi 2026): values narrower than keys and scaled, local layers with a RoPE base and learned sink
// logits of their own, experts chosen by sigmoid with a bias.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::mimo2 {
namespace {

void read(MetadataReader& in, Config& config) {
  const double local_base = in.rope_base("rope.freq_base_swa");
  config.rope = {in.global_rope(config.rope_dims), make_rope(local_base, config.rope_dims)};
  read_local_layers(in, 1, 1, 0, config);
  const auto scale = static_cast<float>(in.number("attention.value_scale", 0, 1e6, 1));
  if (scale != 0) config.value_scale = scale;  // 0 in files that do not say
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  Attention& a = std::get<Attention>(layer.mixer);
  if (in.has("attn_sinks")) a.sink_logits = in.values("attn_sinks.weight", {a.heads});
  return layer;
}

}  // namespace

extern const Family family = {.name = "mimo2",
                              .own_value_width = true,
                              .read = read,
                              .layer = layer,
                              .routing = {.scores = Routing::Scores::kSigmoid}};

}  // namespace partita::internal::models::mimo2
