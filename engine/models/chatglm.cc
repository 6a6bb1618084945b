// ChatGLM 2 and 3, GLM 4 of 2024 (GLM team 2024): adjacent pairs of half of each head rotate, gate and up
// share a tensor, and in old files Q, K and V.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::chatglm {

extern const Family family = {.name = "chatglm",
                              .read = read_uniform_layers,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return llama_layer(in, c, index, RopePairs::kAdjacent);
                              }};

}  // namespace partita::internal::models::chatglm
