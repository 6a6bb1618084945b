// Writes LM heads of all kinds with random weights to model files.
#pragma once

#include <cstddef>
#include <string>

#include "weights/gguf/writer.h"

namespace partita::internal::test {

/// The parameters of a random LM head.
struct HeadSpec {
  std::string kind;  // dense, adaptive, classes, tree or mixture
  Dtype dtype = Dtype::kF32;
  std::size_t vocab = 1003;  // at least 16
  std::size_t hidden = 96;
};

/// Adds the keys and tensors of such a head. The weights come from a fixed seed, scaled so that a few tokens
/// are likely.
void add_head(const HeadSpec& spec, GgufWriter& file);

/// Adds an adaptive input embedding of three bands; the first one has a projection too, which it does not
/// need. The vocabulary order is that of the head.
void add_bands(const HeadSpec& spec, GgufWriter& file);

}  // namespace partita::internal::test
