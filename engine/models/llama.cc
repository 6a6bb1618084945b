// Llama 1 to 3, Mistral 7B, SmolLM2 (Touvron et al. 2023): what other families differ from.
#include "engine/models/llama.h"

#include "engine/models/family.h"

namespace partita::internal {

Layer llama_layer(LayerReader& in, const Config& c, std::size_t index, RopePairs pairs) {
  const LayerKind& kind = c.layer_kinds[index];
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  Attention& a = layer.attention;
  a.heads = c.heads;
  a.kv = {c.kv_heads, {c.head_dim, c.head_dim}, kind.window, kind.sinks};
  a.scale = c.attention_scale;
  a.rope = kind.rope;
  in.linears({{"attn_q", &a.q, a.q_width(), c.hidden_size, pairs},
              {"attn_k", &a.k, a.k_width(), c.hidden_size, pairs},
              {"attn_v", &a.v, a.v_width(), c.hidden_size}});
  in.linears({{"attn_output", &a.out, c.hidden_size, a.out_width()}});
  Ffn& ffn = layer.ffn;
  ffn.activation = c.activation;
  in.linears({{"ffn_gate", &ffn.gate, c.ffn_size, c.hidden_size}});
  in.linears({{"ffn_up", &ffn.up, c.ffn_size, c.hidden_size}});
  in.linears({{"ffn_down", &ffn.down, c.hidden_size, c.ffn_size}});
  return layer;
}

void read_uniform_layers(MetadataReader& in, Config& config) {
  const std::uint32_t window = in.window();
  config.rope = {in.global_rope(config.head_dim)};
  config.layer_kinds.assign(config.layers, LayerKind{window, 0});
}

namespace models {

extern const Family llama = {.name = "llama",
                             .read = read_uniform_layers,
                             .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                               return llama_layer(in, c, index, RopePairs::kAdjacent);
                             }};

}  // namespace models
}  // namespace partita::internal
