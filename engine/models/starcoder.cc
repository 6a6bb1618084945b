// StarCoder, SantaCoder (Li et al. 2023): GPT-2 with one head of K and V.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::starcoder {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kGeluTanh;
  read_learned_positions(in, config);
}

}  // namespace

extern const Family family = {.name = "starcoder",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return ungated_layer(in, c, index, RopePairs::kNone);
                              }};

}  // namespace partita::internal::models::starcoder
