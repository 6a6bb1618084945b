// GPT-NeoX and Pythia (Biderman et al. 2023): LayerNorm, RoPE of a part of each head, and attention and a
// GELU without a gate, in parallel in most.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::gptneox {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kGelu;
  config.parallel = in.flag("use_parallel_residual", true);
  read_uniform_layers(in, config);
}

}  // namespace

extern const Family family = {.name = "gptneox",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return ungated_layer(in, c, index, RopePairs::kHalves);
                              }};

}  // namespace partita::internal::models::gptneox
