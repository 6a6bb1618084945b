// Ministral 3 and Mistral Small 4 (Mistral AI 2025): Llama with YaRN of another magnitude, and queries whose
// scale grows with their position.
#include <cmath>

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal::models::mistral3 {
namespace {

void read(MetadataReader& in, Config& config) {
  constexpr double kMost = 1000;
  read_uniform_layers(in, config);
  if (in.text("rope.scaling.type", "none") == "yarn") {
    const double factor = in.number("rope.scaling.factor", 1, 1e6);
    const double multiplier = in.number("rope.scaling.yarn_log_multiplier", 0, kMost, 0);
    config.rope[0].magnitude /= static_cast<float>(1 + 0.1 * multiplier * std::log(factor));
  }
  config.query_scale.slope = static_cast<float>(in.number("attention.temperature_scale", 0, kMost, 0));
  if (config.query_scale.slope > 0)
    config.query_scale.period = in.count("rope.scaling.original_context_length", 1, kMaxContext);
}

}  // namespace

extern const Family family = {
    .name = "mistral3", .read = read, .layer = [](LayerReader& in, const Config& c, std::size_t index) {
      return llama_layer(in, c, index, RopePairs::kAdjacent);
    }};

}  // namespace partita::internal::models::mistral3
