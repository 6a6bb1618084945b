// MPT (MosaicML 2023): LayerNorm, ALiBi, limits of Q, K and V in some, and a GELU without a gate.
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::mpt {
namespace {

void read(MetadataReader& in, Config& config) {
  constexpr double kMostClamp = 1e6, kMostAlibiBias = 1e3;
  config.activation = GateFunction::kGelu;
  config.clamp = static_cast<float>(in.number("attention.clamp_kqv", 0, kMostClamp, 0));
  config.max_alibi_bias = static_cast<float>(in.number("attention.max_alibi_bias", 0, kMostAlibiBias, 0));
  if (config.max_alibi_bias == 0) return read_learned_positions(in, config);
  config.layer_kinds.assign(config.layers, LayerKind{in.window(), kNoRope});
}

}  // namespace

extern const Family family = {.name = "mpt",
                              .norm = NormKind::kLayer,
                              .read = read,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return ungated_layer(in, c, index, RopePairs::kNone);
                              }};

}  // namespace partita::internal::models::mpt
