// Falcon (Almazrouei et al. 2023): attention and a GELU without a gate in parallel, after one LayerNorm in
// the small model and two in the others.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::falcon {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kGelu;
  config.parallel = true;
  read_uniform_layers(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = ungated_layer(in, c, index, RopePairs::kHalves);
  if (in.has("attn_norm_2")) layer.pre = in.norm("attn_norm_2", c.hidden_size);  // attn_norm is the FFN's
  return layer;
}

}  // namespace

extern const Family family = {.name = "falcon", .norm = NormKind::kLayer, .read = read, .layer = layer};

}  // namespace partita::internal::models::falcon
