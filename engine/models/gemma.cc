// Gemma 1 (Gemma Team 2024): Llama with GELU in the gate and scaled embeddings.
#include <cmath>

#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::gemma {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kGeluTanh;
  config.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
  read_uniform_layers(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  return llama_layer(in, c, index, RopePairs::kHalves);
}

}  // namespace

extern const Family family = {.name = "gemma", .read = read, .layer = layer};

}  // namespace partita::internal::models::gemma
