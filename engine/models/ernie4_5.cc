// ERNIE 4.5, dense (Baidu 2025): Llama, under another name.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::ernie4_5 {

extern const Family family = {.name = "ernie4_5",
                              .read = read_uniform_layers,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return llama_layer(in, c, index, RopePairs::kAdjacent);
                              }};

}  // namespace partita::internal::models::ernie4_5
