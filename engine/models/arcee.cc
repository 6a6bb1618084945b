// Arcee AFM (Arcee 2025): Llama with a squared ReLU and no gate in the FFN.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::arcee {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kReluSquared;
  read_uniform_layers(in, config);
}

}  // namespace

extern const Family family = {
    .name = "arcee", .read = read, .layer = [](LayerReader& in, const Config& c, std::size_t index) {
      return ungated_layer(in, c, index, RopePairs::kAdjacent);
    }};

}  // namespace partita::internal::models::arcee
