// Nemotron 3 and 4, Minitron (Nvidia 2024): LayerNorm, RoPE of a part of each head, and a squared ReLU
// without a gate.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::nemotron {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kReluSquared;
  read_uniform_layers(in, config);
}

}  // namespace

extern const Family family = {.name = "nemotron",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return ungated_layer(in, c, index, RopePairs::kHalves);
                              }};

}  // namespace partita::internal::models::nemotron
