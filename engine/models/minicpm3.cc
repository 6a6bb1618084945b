// MiniCPM 3 (Hu et al. 2024): latent attention; multipliers of embedding, residuals and logits.
#include <cmath>

#include "engine/models/family.h"
#include "engine/models/mla_reader.h"

namespace partita::internal::models::minicpm3 {
namespace {

/// The multipliers of the published model; files do not give them.
void read(MetadataReader& in, Config& config) {
  constexpr float kEmbedding = 12, kDepth = 1.4F, kBaseWidth = 256;
  read_latent_layers(in, config);
  config.embedding_scale = kEmbedding;
  config.residual_scale = kDepth / std::sqrt(static_cast<float>(config.layers));
  config.logit_scale = kBaseWidth / static_cast<float>(config.hidden_size);
}

}  // namespace

extern const Family family = {
    .name = "minicpm3", .read = read, .layer = [](LayerReader& in, const Config& c, std::size_t index) {
      return latent_layer(in, c, index, RopePairs::kNone);
    }};

}  // namespace partita::internal::models::minicpm3
