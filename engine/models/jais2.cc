// Jais 2 (Inception 2025): LayerNorm, and a squared ReLU without a gate.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::jais2 {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kReluSquared;
  read_uniform_layers(in, config);
}

}  // namespace

extern const Family family = {.name = "jais2",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return ungated_layer(in, c, index, RopePairs::kHalves);
                              }};

}  // namespace partita::internal::models::jais2
