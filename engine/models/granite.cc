// Granite 3, dense (IBM 2024).
#include "engine/models/granite.h"

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal {

void read_granite(MetadataReader& in, Config& config) {
  constexpr double kLeast = 1e-6, kMost = 1e6;
  read_uniform_layers(in, config);
  const auto multiplier = [&](std::string_view name, double missing) {
    return static_cast<float>(in.number(name, kLeast, kMost, missing));
  };
  if (config.moe.experts == 0) {  // then the shared expert is the FFN
    config.ffn_size = in.count("expert_shared_feed_forward_length", 1, kMaxFfn, config.ffn_size);
  }
  if (!in.flag("rope.scaling.finetuned", true)) {  // so files say that there is no RoPE
    for (LayerKind& kind : config.layer_kinds) kind.rope = kNoRope;
  }
  config.embedding_scale = multiplier("embedding_scale", 1);
  config.attention_scale = multiplier("attention.scale", static_cast<double>(config.attention_scale));
  config.residual_scale = multiplier("residual_scale", 1);
  config.logit_scale = 1 / multiplier("logit_scale", 1);
}

Layer granite_layer(LayerReader& in, const Config& c, std::size_t index) {
  return llama_layer(in, c, index, RopePairs::kAdjacentInHead);
}

namespace models::granite {

extern const Family family = {.name = "granite", .read = read_granite, .layer = granite_layer};

}  // namespace models::granite
}  // namespace partita::internal
