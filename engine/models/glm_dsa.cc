// GLM 5 (Zhipu AI 2026): DeepSeek V3 with an indexer that chooses the keys that are attended to. Up to as
// many tokens as it chooses, all keys are chosen; longer contexts are refused.
#include <algorithm>
#include <string>

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/mla_reader.h"

namespace partita::internal::models::glm_dsa {
namespace {

void read(MetadataReader& in, Config& config) {
  read_latent_layers(in, config);
  const std::uint32_t chosen = in.count("attention.indexer.top_k", 1, kMaxContext);
  config.context_length = std::min(config.context_length, chosen);
}

Layer layer(LayerReader& in, const Config& config, std::size_t index) {
  for (const char* name : {"attn_k.weight", "attn_q_b.weight", "k_norm.weight", "k_norm.bias", "proj.weight"})
    in.skip("indexer." + std::string(name));
  return latent_layer(in, config, index, RopePairs::kLastAdjacent);
}

}  // namespace

extern const Family family = {.name = "glm-dsa",
                              .read = read,
                              .layer = layer,
                              .routing = {.scores = Routing::Scores::kSigmoid, .normalized = false}};

}  // namespace partita::internal::models::glm_dsa
