// Phi-3 and Phi-4 (Abdin et al. 2024): Q, K and V in one tensor, and gate and up.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::phi3 {

extern const Family family = {.name = "phi3",
                              .read = read_uniform_layers,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return llama_layer(in, c, index, RopePairs::kHalves);
                              }};

}  // namespace partita::internal::models::phi3
