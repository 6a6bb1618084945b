// Qwen 2, mixtures of experts (Qwen Team 2024): a shared expert with a gate; weights of the others not
// normalized.
#include <utility>

#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::qwen2moe {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  layer.mixer = llama_attention(in, c, index, RopePairs::kHalves);
  Moe moe = llama_moe(in, c);
  in.linears({{"ffn_gate_inp_shexp", &moe.shared_gate, 1, c.hidden_size}});
  layer.ffn = std::move(moe);
  return layer;
}

}  // namespace

extern const Family family = {
    .name = "qwen2moe", .read = read_uniform_layers, .layer = layer, .routing = {.normalized = false}};

}  // namespace partita::internal::models::qwen2moe
