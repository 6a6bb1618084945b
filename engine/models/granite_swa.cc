// Granite with local layers (IBM 2026), dense and mixtures of experts: learned sink logits, layers without
// RoPE.
#include "engine/models/family.h"
#include "engine/models/granite.h"

namespace partita::internal::models::granite_swa {
namespace {

void read(MetadataReader& in, Config& config) {
  read_granite(in, config);
  const std::vector<bool> rotated = in.flags("attention.rope_pattern", config.layers);
  for (std::size_t i = 0; i < rotated.size(); ++i) {
    if (!rotated[i]) config.layer_kinds[i].rope = kNoRope;
  }
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = granite_layer(in, c, index);
  Attention& a = std::get<Attention>(layer.mixer);
  a.sink_logits = in.values("attn_sinks.weight", {a.heads});
  return layer;
}

}  // namespace

extern const Family family = {.name = "granite_swa", .read = read, .layer = layer};

}  // namespace partita::internal::models::granite_swa
