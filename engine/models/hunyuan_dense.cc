// Hunyuan, dense (Tencent 2025): norms of Q and K after RoPE. Its scaling of RoPE ("dynamic", with a fixed
// alpha) is in the base that the file gives.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::hunyuan_dense {
namespace {

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = llama_layer(in, c, index, RopePairs::kHalves);
  auto& attention = std::get<Attention>(layer.mixer);
  read_head_norms(in, attention);
  attention.rope_first = true;
  return layer;
}

}  // namespace

extern const Family family = {.name = "hunyuan-dense", .read = read_uniform_layers, .layer = layer};

}  // namespace partita::internal::models::hunyuan_dense
