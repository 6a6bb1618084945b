// Command R7B and Command A (Cohere 2024, 2025): LayerNorm, attention and FFN in parallel, three local layers
// of four, and no RoPE in the others.
#include "engine/models/cohere.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal {

void read_cohere2(MetadataReader& in, Config& config) {
  read_cohere(in, config);
  config.rope = {in.global_rope(config.rope_dims)};
  read_local_layers(in, 4, 0, kNoRope, config);
}

namespace models::cohere2 {

extern const Family family = {.name = "cohere2",
                              .norm = NormKind::kLayer,
                              .read = read_cohere2,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return llama_layer(in, c, index, RopePairs::kAdjacent);
                              }};

}  // namespace models::cohere2
}  // namespace partita::internal
