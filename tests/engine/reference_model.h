// The reference forward pass, as simple as possible: double precision, weights as the codecs define them, no
// cache, n x n attention, rotary pairs as in the file. Tests compare the engine with it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/engine/tiny_models.h"
#include "weights/gguf/gguf.h"

namespace partita::internal::testing {

using Doubles = std::vector<double>;

/// Rounding as a random experiment: the effect of rounding on the logits, found by adding errors of its size
/// to the reference. All zero: the reference itself.
struct Rounding {
  double weights = 0;      // relative
  double activations = 0;  // relative to the value
  double group = 0;        // relative to the largest of 32 activations
  double cache = 0;        // relative, of keys and values
  std::uint64_t seed = 0;
};

/// Hidden states [n][hidden] after the final norm and logits [n][vocab] of a sequence.
struct Forward {
  Doubles hidden;
  Doubles logits;
};
Forward reference_forward(const Gguf& file, const TinySpec& spec, std::span<const std::int32_t> tokens,
                          const Rounding& rounding = {});

}  // namespace partita::internal::testing
