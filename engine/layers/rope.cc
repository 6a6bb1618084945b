#include "engine/layers/rope.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace partita::internal {

Rope make_rope(double base, std::uint32_t dims) {
  Rope rope;
  rope.inverse_frequency.resize(dims / 2);
  for (std::size_t i = 0; i < rope.inverse_frequency.size(); ++i) {
    rope.inverse_frequency[i] = static_cast<float>(std::pow(base, -2.0 * static_cast<double>(i) / dims));
  }
  return rope;
}

double Rope::dynamic_step(std::uint32_t limit) const {
  if (limit == 0 || dynamic_factor == 0) return 1;
  // The base is multiplied by growth^(dims / (dims - 2)); pair i has its power of -2i / dims.
  const double growth = dynamic_factor * limit / original_context - (dynamic_factor - 1);
  const double pairs = static_cast<double>(inverse_frequency.size());
  return std::pow(growth, -1 / std::max(pairs - 1, 0.5));
}

void apply_yarn(const Yarn& yarn, double base, Rope& rope) {
  const auto dim = 2 * static_cast<double>(rope.inverse_frequency.size());
  // The index of the pair, as a real number, with this number of rotations within the original context.
  const auto pair_of = [&](double rotations) {
    const double turns = std::log(yarn.original_context / (rotations * 2 * std::numbers::pi));
    return dim * turns / (2 * std::max(std::log(base), 1e-6));
  };
  const double from = pair_of(yarn.beta_fast), to = pair_of(yarn.beta_slow);
  const double first = std::max(yarn.whole_pairs ? std::floor(from) : from, 0.0);
  const double last = std::min(yarn.whole_pairs ? std::ceil(to) : to, dim - 1);
  const double span = last > first ? last - first : 0.001;  // as the reference avoids a division by zero
  for (std::size_t i = 0; i < rope.inverse_frequency.size(); ++i) {
    const double divided = std::clamp((static_cast<double>(i) - first) / span, 0.0, 1.0);
    float& frequency = rope.inverse_frequency[i];
    frequency = static_cast<float>(frequency / yarn.factor * divided + frequency * (1 - divided));
  }
  if (yarn.factor > 1) rope.magnitude *= static_cast<float>(1 + 0.1 * std::log(yarn.factor));
}

}  // namespace partita::internal
