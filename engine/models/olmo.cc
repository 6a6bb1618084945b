// OLMo 1 (Groeneveld et al. 2024): LayerNorm without weights, and limits of Q, K and V in some.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::olmo {
namespace {

void read(MetadataReader& in, Config& config) {
  constexpr double kMostClamp = 1e6;
  config.clamp = static_cast<float>(in.number("attention.clamp_kqv", 0, kMostClamp, 0));
  read_uniform_layers(in, config);
}

}  // namespace

extern const Family family = {.name = "olmo",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return llama_layer(in, c, index, RopePairs::kAdjacent);
                              }};

}  // namespace partita::internal::models::olmo
