// DeepSeek V2 and V3 (DeepSeek-AI 2024), GLM 4.7 Flash, Youtu: latent attention; the first layers are dense.
#include "engine/models/family.h"
#include "engine/models/mla_reader.h"

namespace partita::internal::models::deepseek2 {

extern const Family family = {
    .name = "deepseek2",
    .read = read_latent_layers,
    .layer = [](LayerReader& in, const Config& c,
                std::size_t index) { return latent_layer(in, c, index, RopePairs::kLastAdjacent); },
    .routing = {.normalized = false}};

}  // namespace partita::internal::models::deepseek2
