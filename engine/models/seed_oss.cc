// Seed-OSS (ByteDance 2025): Llama with biases of Q, K and V; files name its FFN norm after attention.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::seed_oss {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("post_attention_norm", c.hidden_size);
  layer.mixer = llama_attention(in, c, index, RopePairs::kHalves);
  layer.ffn = llama_ffn(in, c);
  return layer;
}

}  // namespace

extern const Family family = {.name = "seed_oss", .read = read_uniform_layers, .layer = layer};

}  // namespace partita::internal::models::seed_oss
