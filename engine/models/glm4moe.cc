// GLM-4.5 and 4.6 (Zhipu AI 2025), Solar Open: half of each head rotates, experts are chosen by sigmoid with
// a bias; files name the FFN norm after attention.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::glm4moe {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("post_attention_norm", c.hidden_size);
  layer.mixer = llama_attention(in, c, index, RopePairs::kHalves);
  if (in.has("attn_q_norm")) read_head_norms(in, std::get<Attention>(layer.mixer));
  layer.ffn = llama_feed_forward(in, c);
  return layer;
}

}  // namespace

extern const Family family = {.name = "glm4moe",
                              .read = read_uniform_layers,
                              .layer = layer,
                              .routing = {.scores = Routing::Scores::kSigmoid, .normalized = false}};

}  // namespace partita::internal::models::glm4moe
