// Arcee AFM (Arcee 2025): Llama with a squared ReLU and no gate in the FFN.
#include <utility>

#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models {
namespace {

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kReluSquared;
  read_uniform_layers(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  layer.mixer = llama_attention(in, c, index, RopePairs::kAdjacent);
  Ffn ffn;
  ffn.activation = c.activation;
  in.linears({{"ffn_up", &ffn.up, c.ffn_size, c.hidden_size}});
  in.linears({{"ffn_down", &ffn.down, c.hidden_size, c.ffn_size}});
  layer.ffn = std::move(ffn);
  return layer;
}

}  // namespace

extern const Family arcee = {.name = "arcee", .read = read, .layer = layer};

}  // namespace partita::internal::models
