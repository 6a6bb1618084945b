// OLMoE (Ai2 2024): a mixture of experts, norms of whole projections of Q and K, weights of experts not
// normalized.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::olmoe {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  layer.mixer = llama_attention(in, c, index, RopePairs::kHalves);
  read_projection_norms(in, std::get<Attention>(layer.mixer));
  layer.ffn = llama_moe(in, c);
  return layer;
}

}  // namespace

extern const Family family = {
    .name = "olmoe", .read = read_uniform_layers, .layer = layer, .routing = {.normalized = false}};

}  // namespace partita::internal::models::olmoe
