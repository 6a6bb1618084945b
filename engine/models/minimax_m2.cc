// MiniMax-M2 (MiniMax 2025): norms of whole projections of Q and K, experts chosen by sigmoid with a bias.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::minimax_m2 {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  read_projection_norms(in, std::get<Attention>(layer.mixer));
  return layer;
}

}  // namespace

extern const Family family = {.name = "minimax-m2",
                              .read = read_uniform_layers,
                              .layer = layer,
                              .routing = {.scores = Routing::Scores::kSigmoid}};

}  // namespace partita::internal::models::minimax_m2
