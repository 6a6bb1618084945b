// Phi-1 to Phi-2 (Microsoft 2023): LayerNorm, RoPE of a part of each head, and attention and a GELU without a
// gate in parallel.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::phi2 {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kGeluTanh;
  config.parallel = true;
  read_uniform_layers(in, config);
}

}  // namespace

extern const Family family = {.name = "phi2",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return ungated_layer(in, c, index, RopePairs::kHalves);
                              }};

}  // namespace partita::internal::models::phi2
