// Qwen 3, mixtures of experts (Qwen Team 2025): norms of queries and keys, weights of experts normalized.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::qwen3moe {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  read_head_norms(in, std::get<Attention>(layer.mixer));
  return layer;
}

}  // namespace

extern const Family family = {.name = "qwen3moe", .read = read_uniform_layers, .layer = layer};

}  // namespace partita::internal::models::qwen3moe
