// AFMoE, Trinity (Arcee AI 2025): local layers, no RoPE in the global ones, gated attention, norms before and
// after, experts chosen by sigmoid with a bias.
#include <cmath>
#include <utility>

#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::afmoe {
namespace {

void read(MetadataReader& in, Config& config) {
  config.rope = {in.global_rope(config.rope_dims)};
  config.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
  read_local_layers(in, 4, 0, kNoRope, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  Attention& a = std::get<Attention>(layer.mixer);
  read_head_norms(in, a);
  in.linears({{"attn_gate", &a.gate, a.out_width(), c.hidden_size}});
  layer.post = in.rms("post_attention_norm", c.hidden_size);
  layer.ffn_post = in.rms("post_ffw_norm", c.hidden_size);
  return layer;
}

}  // namespace

extern const Family family = {
    .name = "afmoe", .read = read, .layer = layer, .routing = {.scores = Routing::Scores::kSigmoid}};

}  // namespace partita::internal::models::afmoe
