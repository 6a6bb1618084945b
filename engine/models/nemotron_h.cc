// Nemotron-H (NVIDIA 2025), dense: layers of Mamba-2, of attention, and of FFNs with a squared ReLU.
#include "engine/models/nemotron_h.h"

#include <utility>

#include "engine/models/family.h"
#include "engine/models/llama.h"
#include "engine/models/state_space.h"

namespace partita::internal {
void read_nemotron_h(MetadataReader& in, Config& config) {
  config.layer_kinds.assign(config.layers, LayerKind{0, kNoRope});
  config.activation = GateFunction::kReluSquared;
  config.moe.gated = false;
  read_mamba2(in, config);
}

Layer nemotron_h_layer(LayerReader& in, const Config& c, std::size_t index) {
  const LayerSizes& sizes = c.layer_sizes[index];
  Layer layer;
  Norm norm = in.rms("attn_norm", c.hidden_size);
  if (sizes.kv_heads > 0) {
    layer.mixer = llama_attention(in, c, index, RopePairs::kNone);
  } else if (sizes.ffn == 0) {
    layer.mixer = mamba2_mixer(in, c);
  } else if (c.moe.experts > 0) {
    layer.ffn = llama_moe(in, c);
  } else {
    layer.ffn = ungated_ffn(in, c, index);
  }
  (layer.has_mixer() ? layer.pre : layer.ffn_pre) = std::move(norm);
  return layer;
}

namespace models::nemotron_h {

extern const Family family = {
    .name = "nemotron_h", .partial_layers = true, .read = read_nemotron_h, .layer = nemotron_h_layer};

}  // namespace models::nemotron_h
}  // namespace partita::internal
