// Mellum, mixtures of experts (JetBrains 2026): Qwen 3 with local layers, whose RoPE has a base of its own.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::mellum {
namespace {

void read(MetadataReader& in, Config& config) {
  const double local_base = in.rope_base("rope.freq_base_swa");
  config.rope = {in.global_rope(config.rope_dims), make_rope(local_base, config.rope_dims)};
  read_local_layers(in, 4, 1, 0, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  read_head_norms(in, std::get<Attention>(layer.mixer));
  return layer;
}

}  // namespace

extern const Family family = {.name = "mellum", .read = read, .layer = layer};

}  // namespace partita::internal::models::mellum
