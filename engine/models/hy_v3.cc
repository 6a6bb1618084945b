// Hunyuan 3, mixtures of experts (Tencent 2026): norms of queries and keys, experts chosen by sigmoid with a
// bias.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::hy_v3 {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  read_head_norms(in, std::get<Attention>(layer.mixer));
  return layer;
}

}  // namespace

extern const Family family = {.name = "hy_v3",
                              .read = read_uniform_layers,
                              .layer = layer,
                              .routing = {.scores = Routing::Scores::kSigmoid}};

}  // namespace partita::internal::models::hy_v3
