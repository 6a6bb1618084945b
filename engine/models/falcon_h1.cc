// Falcon-H1 (TII 2025): attention and Mamba-2 side by side in every layer. Its multipliers are in the weights
// of the file.
#include <string>
#include <utility>

#include "engine/models/family.h"
#include "engine/models/llama.h"
#include "engine/models/state_space.h"

namespace partita::internal::models::falcon_h1 {
namespace {

void read(MetadataReader& in, Config& config) {
  read_uniform_layers(in, config);
  read_mamba2(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.mixer = AttentionAndMamba2{llama_attention(in, c, index, RopePairs::kHalves), mamba2_mixer(in, c)};
  if (in.has("ffn_norm")) {
    layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  } else {  // the converter writes the name without its suffix
    layer.ffn_pre.weight = in.values("ffn_norm", {c.hidden_size});
    layer.ffn_pre.eps = c.norm_eps;
    layer.ffn_pre.name = "blk." + std::to_string(index) + ".ffn_norm";
  }
  layer.ffn = llama_ffn(in, c);
  return layer;
}

}  // namespace

extern const Family family = {.name = "falcon-h1", .read = read, .layer = layer};

}  // namespace partita::internal::models::falcon_h1
