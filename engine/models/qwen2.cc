// Qwen 1.5, 2 and 2.5 (Qwen Team 2024): Llama's layer with biases of Q, K and V, and rotary halves.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::qwen2 {

extern const Family family = {.name = "qwen2",
                              .read = read_uniform_layers,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return llama_layer(in, c, index, RopePairs::kHalves);
                              }};

}  // namespace partita::internal::models::qwen2
