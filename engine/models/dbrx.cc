// DBRX (Databricks 2024): a mixture of experts with LayerNorm, and limits of Q, K and V; files name the FFN
// norm after attention.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::dbrx {
namespace {

void read(MetadataReader& in, Config& config) {
  constexpr double kMostClamp = 1e6;
  config.clamp = static_cast<float>(in.number("attention.clamp_kqv", 0, kMostClamp, 0));
  read_uniform_layers(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer;
  layer.pre = in.norm("attn_norm", c.hidden_size);
  layer.ffn_pre = in.norm("attn_output_norm", c.hidden_size);
  layer.mixer = llama_attention(in, c, index, RopePairs::kHalves);
  layer.ffn = llama_moe(in, c);
  return layer;
}

}  // namespace

extern const Family family = {.name = "dbrx", .norm = NormKind::kLayer, .read = read, .layer = layer};

}  // namespace partita::internal::models::dbrx
