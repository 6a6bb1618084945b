// OLMo 2 and 3 (Ai2 2024, 2025): norms after attention and FFN alone, and of whole projections of Q and K.
// OLMo 3 has local layers, whose RoPE is not scaled.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::olmo2 {
namespace {

void read(MetadataReader& in, Config& config) {
  const double local_base =
      in.rope_base(in.has("rope.freq_base_swa") ? "rope.freq_base_swa" : "rope.freq_base");
  config.rope = {in.global_rope(config.rope_dims), make_rope(local_base, config.rope_dims)};
  read_local_layers(in, 4, 1, 0, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.mixer = llama_attention(in, c, index, RopePairs::kHalves);
  read_projection_norms(in, std::get<Attention>(layer.mixer));
  layer.post = in.rms("post_attention_norm", c.hidden_size);
  layer.ffn = llama_ffn(in, c);
  layer.ffn_post = in.rms("post_ffw_norm", c.hidden_size);
  return layer;
}

}  // namespace

extern const Family family = {.name = "olmo2", .read = read, .layer = layer};

}  // namespace partita::internal::models::olmo2
