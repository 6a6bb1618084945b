// EXAONE 4 (LG AI Research 2025): norms after attention and FFN alone, and of each head of Q and K. The
// hybrid form has local layers, and no RoPE in the global ones.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::exaone4 {
namespace {

void read(MetadataReader& in, Config& config) {
  config.rope = {in.global_rope(config.rope_dims)};
  const bool hybrid = in.window() != 0;
  read_local_layers(in, 4, 0, hybrid ? kNoRope : 0, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.mixer = llama_attention(in, c, index, RopePairs::kHalves);
  read_head_norms(in, std::get<Attention>(layer.mixer));
  layer.post = in.rms("post_attention_norm", c.hidden_size);
  layer.ffn = llama_ffn(in, c);
  layer.ffn_post = in.rms("post_ffw_norm", c.hidden_size);
  return layer;
}

}  // namespace

extern const Family family = {.name = "exaone4", .read = read, .layer = layer};

}  // namespace partita::internal::models::exaone4
