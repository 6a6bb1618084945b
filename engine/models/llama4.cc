// Llama 4, text (Meta 2025): three of four layers attend to chunks, with norms of rotated queries and keys;
// the fourth has no RoPE, attends to everything, and scales its queries by their position. Every other layer,
// or every one, is a mixture of experts: one chosen by sigmoid, whose input is weighed, and a shared one.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::llama4 {
namespace {

// Files have no keys for them.
constexpr std::uint32_t kPeriod = 4, kChunk = 8192, kUnnormedExperts = 128;
constexpr QueryScale kQueryScale{.slope = 0.1F, .period = 8192, .offset = 1};

void read(MetadataReader& in, Config& config) {
  if (in.has("attention.sliding_window")) {
    return in.fail(ErrorCode::kUnsupported, "attention.sliding_window",
                   "is there, and only models with chunked attention can be used");
  }
  config.rope = {in.global_rope(config.rope_dims)};
  config.layer_kinds.assign(config.layers, LayerKind{kChunk, 0});
  for (std::size_t i = kPeriod - 1; i < config.layers; i += kPeriod) config.layer_kinds[i] = {0, kNoRope};
  config.moe.shared_ffn_size = config.moe.ffn_size;
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kAdjacent);
  Attention& attention = std::get<Attention>(layer.mixer);
  if (attention.rope == kNoRope) {
    attention.query_scale = kQueryScale;
    return layer;
  }
  attention.chunk = kChunk;
  if (c.moe.experts == kUnnormedExperts) return layer;
  // Without weights: the same before RoPE, which keeps the length of a head.
  attention.q_norm = attention.k_norm = {Vector(attention.widths.key, 1.0F), c.norm_eps};
  return layer;
}

}  // namespace

extern const Family family = {
    .name = "llama4",
    .read = read,
    .layer = layer,
    .routing = {.scores = Routing::Scores::kSigmoid, .normalized = false, .before = true}};

}  // namespace partita::internal::models::llama4
