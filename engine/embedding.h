// From tokens to vectors: one table, or bands of rarer and rarer words in narrower and narrower tables, each
// with a projection (adaptive input embeddings, Baevski & Auli 2019).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/tensor_loader.h"
#include "partita/result.hpp"

namespace partita {

struct Band {
  std::size_t begin = 0;  // its first place
  PackedMatrix rows;      // [words][width], width <= hidden
  Vector projection;      // [width][hidden], transposed for sums over rows; empty: width = hidden
};

struct Embedding {
  std::size_t hidden_size = 0;
  std::vector<Band> bands;              // in the order of their places; one: the plain table
  std::vector<std::uint32_t> place_of;  // of each id; empty: the same

  /// The plain table, or null.
  const PackedMatrix* table() const {
    return bands.size() == 1 && bands.front().projection.empty() ? &bands.front().rows : nullptr;
  }

  /// out, and `spare` to work in: [hidden]. Precondition: token < vocab.
  void row(std::uint32_t token, float* out, float* spare) const;

  /// Weight bytes that the widest row takes.
  std::size_t bytes_per_row() const;
};

/// Reads "token_embd.*", "partita.embedding.cutoffs" and "partita.vocabulary.order". Errors: kBadFile naming
/// key, value and limit; those of TensorLoader.
Result<void> load_embedding(TensorLoader& tensors, std::size_t vocab_size, std::size_t hidden_size,
                            Embedding& out);

/// How many words the embedding has, by the shapes of its tensors alone. Errors: kBadFile.
Result<std::uint64_t> count_words(const Gguf& file, std::uint32_t hidden_size);

}  // namespace partita
