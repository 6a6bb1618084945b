// Heads of all kinds with made-up weights, as they stand in model files.
#pragma once

#include <cstddef>
#include <string>

#include "weights/gguf/writer.h"

namespace partita::test {

/// What made-up heads have in common.
struct HeadSpec {
  std::string kind;  // dense, adaptive, classes, tree or mixture
  Dtype dtype = Dtype::kF32;
  std::size_t vocab = 1003;  // at least 16
  std::size_t hidden = 96;
};

/// Adds keys and tensors of such a head: weights of a seed, so scaled that some words are likely.
void add_head(const HeadSpec& spec, GgufWriter& file);

/// The embedding in three bands, the first with a projection though it needs none; the order of the
/// vocabulary is the head's.
void add_bands(const HeadSpec& spec, GgufWriter& file);

}  // namespace partita::test
