// Gemma 2 (Gemma Team 2024): norms after attention and FFN, soft caps of scores and logits, every other layer
// local.
#include "engine/models/gemma2.h"

#include <cmath>

#include "engine/models/llama.h"

namespace partita::internal {

void read_gemma_scales(MetadataReader& in, std::uint32_t layers_of_27b, Config& config) {
  config.activation = GateFunction::kGeluTanh;
  config.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
  double usual = static_cast<double>(config.attention_scale);
  if (config.layers == layers_of_27b)
    usual = 1 / std::sqrt(static_cast<double>(config.hidden_size) / config.heads);
  config.attention_scale = static_cast<float>(in.number("attention.scale", 1e-6, 1e6, usual));
}

Layer gemma2_layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  layer.post = in.rms("post_attention_norm", c.hidden_size);
  layer.ffn_post = in.rms("post_ffw_norm", c.hidden_size);
  return layer;
}

namespace models::gemma2 {
namespace {

void read(MetadataReader& in, Config& config) {
  read_gemma_scales(in, 46, config);
  config.attention_softcap = in.softcap("attn_logit_softcapping", 50);
  config.logit_softcap = in.softcap("final_logit_softcapping", 30);
  config.rope = {in.global_rope(config.rope_dims)};
  read_local_layers(in, 2, 0, 0, config, 4096);
}

}  // namespace

extern const Family family = {.name = "gemma2", .read = read, .layer = gemma2_layer};

}  // namespace models::gemma2
}  // namespace partita::internal
