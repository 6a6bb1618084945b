// GPT-2 (Radford et al. 2019): LayerNorm, learned positions, and GELU without a gate.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::gpt2 {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kGeluTanh;
  read_learned_positions(in, config);
}

}  // namespace

extern const Family family = {.name = "gpt2",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return ungated_layer(in, c, index, RopePairs::kNone);
                              }};

}  // namespace partita::internal::models::gpt2
