// BLOOM (Le Scao et al. 2022): LayerNorm, of embeddings too, ALiBi, and a GELU without a gate.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::bloom {
namespace {

void read(MetadataReader& in, Config& config) {
  constexpr float kMaxAlibiBias = 8;  // in no key
  config.activation = GateFunction::kGeluTanh;
  config.max_alibi_bias = kMaxAlibiBias;
  config.embedding_norm = true;
  config.layer_kinds.assign(config.layers, LayerKind{in.window(), kNoRope});
}

}  // namespace

extern const Family family = {.name = "bloom",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return ungated_layer(in, c, index, RopePairs::kNone);
                              }};

}  // namespace partita::internal::models::bloom
