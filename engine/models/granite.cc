// Granite 3, dense (IBM 2024).
#include "engine/models/granite.h"

#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal {

void read_granite(MetadataReader& in, Config& config) {
  constexpr double kLeast = 1e-6, kMost = 1e6;
  read_uniform_layers(in, config);
  const auto multiplier = [&](std::string_view name, double missing) {
    return static_cast<float>(in.number(name, kLeast, kMost, missing));
  };
  config.embedding_scale = multiplier("embedding_scale", 1);
  config.attention_scale = multiplier("attention.scale", static_cast<double>(config.attention_scale));
  config.residual_scale = multiplier("residual_scale", 1);
  config.logit_scale = 1 / multiplier("logit_scale", 1);
}

Layer granite_layer(LayerReader& in, const Config& c, std::size_t index) {
  return llama_layer(in, c, index, RopePairs::kAdjacent);
}

namespace models {

extern const Family granite = {.name = "granite", .read = read_granite, .layer = granite_layer};

}  // namespace models
}  // namespace partita::internal
