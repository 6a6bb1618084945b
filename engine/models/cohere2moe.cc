// Cohere 2, mixtures of experts (Cohere 2026): its layers are those of Command R7B.
#include "engine/models/cohere.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::cohere2moe {
namespace {

void read(MetadataReader& in, Config& config) {
  read_cohere2(in, config);
  Routing& routing = config.moe.routing;
  if (routing.scores == Routing::Scores::kSoftmax) routing.normalized = true;  // a softmax of the chosen
}

}  // namespace

extern const Family family = {
    .name = "cohere2moe",
    .norm = NormKind::kLayer,
    .read = read,
    .layer = [](LayerReader& in, const Config& c,
                std::size_t index) { return llama_layer(in, c, index, RopePairs::kAdjacent); },
    .routing = {.scores = Routing::Scores::kSigmoid}};

}  // namespace partita::internal::models::cohere2moe
