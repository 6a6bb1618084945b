// Apertus (Swiss AI Initiative 2025): norms of Q and K, and xIELU without a gate, with parameters for each
// layer.
#include <cmath>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/models/family.h"
#include "engine/models/llama.h"
#include "weights/sentence.h"

namespace partita::internal::models::apertus {
namespace {

/// A key without the name of the family: an array of a number for each layer, or one number.
std::vector<double> read_numbers(MetadataReader& in, const std::string& key, std::size_t layers,
                                 double least) {
  constexpr double kMost = 100;
  std::vector<double> numbers(layers, 0);
  const GgufValue* value = in.file().find(key);
  const auto* array = value != nullptr ? std::get_if<GgufArray>(value) : nullptr;
  for (std::size_t i = 0; i < layers; ++i) {
    std::optional<double> number;
    if (array != nullptr) {
      number = array->float_at(i);
    } else if (const auto one = in.file().get_float(key); one) {
      number = *one;
    }
    if (!number || !(*number >= least && *number <= kMost)) {
      in.fail({ErrorCode::kBadFile, "'" + in.file().path() + "': " + key + " must hold a number between " +
                                        rounded_text(least) + " and " + rounded_text(kMost) +
                                        " for each of the " + std::to_string(layers) + " layers"});
      return numbers;
    }
    numbers[i] = *number;
  }
  return numbers;
}

double softplus(double x) { return std::log1p(std::exp(x)); }

void read(MetadataReader& in, Config& config) {
  config.activation = GateFunction::kXielu;
  const auto positive = read_numbers(in, "xielu.alpha_p", config.layers, -100),
             negative = read_numbers(in, "xielu.alpha_n", config.layers, -100),
             linear = read_numbers(in, "xielu.beta", config.layers, -100);
  // e^x - 1 is that of this number where x is above it: a guard of bf16 that changes nothing here.
  read_numbers(in, "xielu.eps", config.layers, -1e-4);
  for (std::size_t i = 0; i < config.layers; ++i) {
    config.xielu.push_back({.positive = static_cast<float>(softplus(positive[i])),
                            .negative = static_cast<float>(linear[i] + softplus(negative[i])),
                            .linear = static_cast<float>(linear[i])});
  }
  read_uniform_layers(in, config);
}

Layer layer(LayerReader& in, const Config& c, std::size_t index) {
  Layer layer = ungated_layer(in, c, index, RopePairs::kHalves);
  read_head_norms(in, std::get<Attention>(layer.mixer));
  return layer;
}

}  // namespace

extern const Family family = {.name = "apertus", .read = read, .layer = layer};

}  // namespace partita::internal::models::apertus
