// Heads of all kinds with made-up weights, read from files in memory as models are.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "engine/output.h"
#include "weights/gguf_writer.h"

namespace partita::test {

/// The output of a file, with the memory of its weights.
struct OwnedOutput {
  PanelArena arena;
  OutputWeights weights;
};

/// Reads the output of a file that has nothing else. Fails the test on an error.
std::unique_ptr<OwnedOutput> load_owned(const Gguf& file, std::size_t vocab, std::size_t hidden);

/// What made-up heads have in common.
struct HeadSpec {
  std::string kind;  // dense, adaptive, classes, tree or mixture
  Dtype dtype = Dtype::kF32;
  std::size_t vocab = 1003;
  std::size_t hidden = 96;
};

/// Keys and tensors of such a head: weights of a seed, so scaled that some words are likely.
GgufWriter write_head(const HeadSpec& spec);

/// Its weights.
std::unique_ptr<OwnedOutput> make_head_weights(const HeadSpec& spec);

}  // namespace partita::test
