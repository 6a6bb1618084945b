// Phi-3.5, mixture of experts (Abdin et al. 2024): LayerNorm, LongRoPE, and SparseMixer's choice of experts.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::phimoe {

extern const Family family = {
    .name = "phimoe",
    .norm = NormKind::kLayer,
    .read = read_uniform_layers,
    .layer = [](LayerReader& in, const Config& c,
                std::size_t index) { return llama_layer(in, c, index, RopePairs::kHalves); },
    .routing = {.scores = Routing::Scores::kSparseMixer}};

}  // namespace partita::internal::models::phimoe
