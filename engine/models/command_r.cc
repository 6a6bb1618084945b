// Command R (Cohere 2024): LayerNorm, attention and FFN in parallel, and in the larger model norms of each
// head of Q and K with weights of its own.
#include "engine/models/cohere.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal {

void read_cohere(MetadataReader& in, Config& config) {
  constexpr double kLeast = 1e-6, kMost = 1e6;
  config.parallel = true;
  config.logit_scale = static_cast<float>(in.number("logit_scale", kLeast, kMost, 1));
}

namespace models::command_r {
namespace {

void read(MetadataReader& in, Config& config) {
  read_cohere(in, config);
  read_uniform_layers(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  constexpr RopePairs kPairs = RopePairs::kAdjacent;
  Layer layer = llama_layer(in, c, index, kPairs);
  auto& a = std::get<Attention>(layer.mixer);
  if (in.has("attn_q_norm")) a.q_norm = in.head_norms("attn_q_norm", a.heads, kPairs);
  if (in.has("attn_k_norm")) a.k_norm = in.head_norms("attn_k_norm", a.kv.heads, kPairs);
  return layer;
}

}  // namespace

extern const Family family = {.name = "command-r", .norm = NormKind::kLayer, .read = read, .layer = layer};

}  // namespace models::command_r
}  // namespace partita::internal
