// Granite 4 hybrids (IBM 2025) and Bamba (IBM 2024): layers of Mamba-2, a few of attention.
#include <utility>

#include "engine/models/family.h"
#include "engine/models/granite.h"
#include "engine/models/llama.h"
#include "engine/models/state_space.h"

namespace partita::internal::models::granitehybrid {
namespace {

void read(MetadataReader& in, Config& config) {
  read_granite(in, config);
  read_mamba2(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  if (c.layer_sizes[index].kv_heads > 0) return granite_layer(in, c, index);
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  layer.mixer = mamba2_mixer(in, c);
  layer.ffn = llama_feed_forward(in, c);
  layer.residual_scale = c.residual_scale;
  return layer;
}

}  // namespace

extern const Family family = {.name = "granitehybrid", .partial_layers = true, .read = read, .layer = layer};

}  // namespace partita::internal::models::granitehybrid
