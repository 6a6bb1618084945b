// LFM2 (Liquid AI 2025): layers of gated short convolutions, a few of attention with norms of heads.
#include "engine/models/lfm2.h"

#include <utility>

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"
#include "engine/models/state_space.h"

namespace partita::internal {
namespace {

ShortConv short_conv(LayerReader& in, const Config& c) {
  ShortConv m;
  in.linears({{"shortconv.in_proj", &m.in, 3 * std::size_t{c.hidden_size}, c.hidden_size}});
  m.conv = in.conv("shortconv.conv", c.recurrent.taps, c.hidden_size);
  in.linears({{"shortconv.out_proj", &m.out, c.hidden_size, c.hidden_size}});
  return m;
}

}  // namespace

void read_lfm2(MetadataReader& in, Config& config) {
  read_uniform_layers(in, config);
  config.recurrent.taps = in.count("shortconv.l_cache", 1, kMaxTaps);
  config.final_norm = "token_embd_norm";
}

Layer lfm2_layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  if (c.layer_sizes[index].kv_heads == 0) {
    layer.mixer = short_conv(in, c);
  } else {
    Attention a = llama_attention(in, c, index, RopePairs::kHalves);
    read_head_norms(in, a);
    layer.mixer = std::move(a);
  }
  layer.ffn = llama_feed_forward(in, c);
  return layer;
}

namespace models::lfm2 {

extern const Family family = {.name = "lfm2", .partial_layers = true, .read = read_lfm2, .layer = lfm2_layer};

}  // namespace models::lfm2
}  // namespace partita::internal
