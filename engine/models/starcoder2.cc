// StarCoder 2 (Lozhkov et al. 2024): LayerNorm, and GELU without a gate.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::starcoder2 {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kGeluTanh;
  read_uniform_layers(in, config);
}

}  // namespace

extern const Family family = {.name = "starcoder2",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return ungated_layer(in, c, index, RopePairs::kHalves);
                              }};

}  // namespace partita::internal::models::starcoder2
