// Qwen 3.5, mixtures of experts.
#include "engine/models/family.h"
#include "engine/models/qwen35.h"

namespace partita::internal::models::qwen35moe {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  return delta_hybrid_layer(in, c, index, false);
}

}  // namespace

extern const Family family = {.name = "qwen35moe", .read = read_delta_hybrid, .layer = layer};

}  // namespace partita::internal::models::qwen35moe
