// Qwen3-Next (Qwen Team 2025): Qwen 3.5's layers, the heads of values in the order of their key heads.
#include "engine/models/family.h"
#include "engine/models/qwen35.h"

namespace partita::internal::models::qwen3next {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  return delta_hybrid_layer(in, c, index, true);
}

}  // namespace

extern const Family family = {.name = "qwen3next", .read = read_delta_hybrid, .layer = layer};

}  // namespace partita::internal::models::qwen3next
