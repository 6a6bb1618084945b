// StableLM 2 and 3B (Stability AI 2023, 2024): LayerNorm, RoPE of a part of each head, and in some attention
// and FFN in parallel.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::stablelm {
namespace {

void read(MetadataReader& in, Config& config) {
  config.parallel = in.flag("use_parallel_residual", false);
  read_uniform_layers(in, config);
}

}  // namespace

extern const Family family = {.name = "stablelm",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return llama_layer(in, c, index, RopePairs::kHalves);
                              }};

}  // namespace partita::internal::models::stablelm
