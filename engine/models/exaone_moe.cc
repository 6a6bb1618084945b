// EXAONE, mixtures of experts (LG AI Research 2026): norms of queries and keys, local layers, no RoPE in the
// global ones.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::exaone_moe {
namespace {

void read(MetadataReader& in, Config& config) {
  config.rope = {in.global_rope(config.rope_dims)};
  const bool hybrid = in.window() != 0;
  read_local_layers(in, 4, 0, hybrid ? kNoRope : 0, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  read_head_norms(in, std::get<Attention>(layer.mixer));
  return layer;
}

}  // namespace

extern const Family family = {
    .name = "exaone-moe", .read = read, .layer = layer, .routing = {.scores = Routing::Scores::kSigmoid}};

}  // namespace partita::internal::models::exaone_moe
