// SmolLM3 (Hugging Face 2025): Llama without RoPE in every fourth layer.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::smollm3 {
namespace {

constexpr std::size_t kPeriod = 4;  // files have no key for it

void read(MetadataReader& in, Config& config) {
  read_uniform_layers(in, config);
  for (std::size_t i = kPeriod - 1; i < config.layer_kinds.size(); i += kPeriod)
    config.layer_kinds[i].rope = kNoRope;
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  return llama_layer(in, c, index, RopePairs::kAdjacent);
}

}  // namespace

extern const Family family = {.name = "smollm3", .read = read, .layer = layer};

}  // namespace partita::internal::models::smollm3
