// Cohere 2, mixtures of experts (Cohere 2026): its layers are those of Command R7B, or have RMS norms. The
// output of a mixture is the mean of the chosen experts and the shared one. The first layers may be dense,
// and have RoPE if they are global too.
#include <variant>

#include "engine/limits.h"
#include "engine/models/cohere.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::cohere2moe {
namespace {

constexpr float kShare = 0.5F;  // of the chosen experts, and of the shared one

void read(MetadataReader& in, Config& config) {
  constexpr std::string_view kRmsEps = "attention.layer_norm_rms_epsilon";
  if (in.has(kRmsEps)) {
    config.norm = NormKind::kRms;
    config.norm_eps = static_cast<float>(in.number(kRmsEps, 1e-20, 1));
  }
  read_cohere2(in, config);
  const std::uint32_t dense = in.count("leading_dense_block_count", 0, config.layers, 0);
  for (std::uint32_t i = 0; i < dense; ++i) config.layer_kinds[i].rope = 0;
  Routing& routing = config.moe.routing;
  if (routing.scores == Routing::Scores::kSoftmax) routing.normalized = true;  // a softmax of the chosen
  if (config.moe.shared_ffn_size > 0) routing.scale *= kShare;
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kAdjacent);
  if (Moe* moe = std::get_if<Moe>(&layer.ffn)) moe->shared_scale = kShare;
  return layer;
}

}  // namespace

extern const Family family = {.name = "cohere2moe",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = layer,
                              .routing = {.scores = Routing::Scores::kSigmoid}};

}  // namespace partita::internal::models::cohere2moe
