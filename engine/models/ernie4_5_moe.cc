// ERNIE 4.5, mixtures of experts (Baidu 2025): experts chosen with a bias, and shared ones.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::ernie4_5_moe {

extern const Family family = {.name = "ernie4_5-moe",
                              .read = read_uniform_layers,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return llama_layer(in, c, index, RopePairs::kAdjacent);
                              }};

}  // namespace partita::internal::models::ernie4_5_moe
