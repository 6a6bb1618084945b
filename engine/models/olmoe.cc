// OLMoE (Ai2 2024): a mixture of experts, norms of whole projections of Q and K, weights of experts not
// normalized.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  layer.attention = llama_attention(in, c, index, RopePairs::kHalves);
  layer.attention.q_norm = in.rms("attn_q_norm", layer.attention.q_width());
  layer.attention.k_norm = in.rms("attn_k_norm", layer.attention.k_width());
  layer.ffn = llama_moe(in, c, false);
  return layer;
}

}  // namespace

extern const Family olmoe = {.name = "olmoe", .read = read_uniform_layers, .layer = layer};

}  // namespace partita::internal::models
