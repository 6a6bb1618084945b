// dots.llm1 (rednote-hilab 2025): norms of queries and keys, experts chosen by sigmoid with a bias, a shared
// one.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::dots1 {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  read_head_norms(in, std::get<Attention>(layer.mixer));
  return layer;
}

}  // namespace

extern const Family family = {.name = "dots1",
                              .read = read_uniform_layers,
                              .layer = layer,
                              .routing = {.scores = Routing::Scores::kSigmoid, .normalized = false}};

}  // namespace partita::internal::models::dots1
