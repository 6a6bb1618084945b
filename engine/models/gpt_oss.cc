// gpt-oss (OpenAI 2025): mixtures of experts with biases and a clamped gate, learned sink logits, every other
// layer local.
#include <utility>

#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::gpt_oss {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kClampedSilu;
  config.rope = {in.global_rope(config.rope_dims, false)};
  read_local_layers(in, 2, 0, 0, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  Attention attention = llama_attention(in, c, index, RopePairs::kHalves);
  attention.sink_logits = in.values("attn_sinks.weight", {attention.heads});
  layer.mixer = std::move(attention);
  layer.ffn_pre = in.rms("post_attention_norm", c.hidden_size);
  layer.ffn = llama_moe(in, c);
  return layer;
}

}  // namespace

extern const Family family = {.name = "gpt-oss", .read = read, .layer = layer};

}  // namespace partita::internal::models::gpt_oss
