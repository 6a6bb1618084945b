// Token embeddings: one table, or adaptive input embeddings (Baevski & Auli 2019): bands of rarer words in
// narrower tables, each with a projection to the hidden size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/tensor_loader.h"
#include "partita/result.hpp"

namespace partita::internal {

struct Band {
  std::size_t begin = 0;  // its first rank in the vocabulary order
  PackedMatrix rows;      // [words][width], width <= hidden
  Vector projection;      // [width][hidden], transposed for sums over rows; empty: width = hidden
};

struct Embedding {
  std::size_t hidden_size = 0;
  std::vector<Band> bands;             // in the order of their ranks; one band: a plain table
  std::vector<std::uint32_t> rank_of;  // by id; empty: the rank is the id

  /// The plain table, or null.
  const PackedMatrix* table() const {
    return bands.size() == 1 && bands.front().projection.empty() ? &bands.front().rows : nullptr;
  }

  /// Writes the embedding of `token` to out: [hidden]. spare: [hidden], scratch. Precondition: token < vocab.
  void row(std::uint32_t token, float* out, float* spare) const;

  /// Bytes of weights that the widest row takes.
  std::size_t bytes_per_row() const;
};

/// Reads "token_embd.*", "partita.embedding.cutoffs" and "partita.vocabulary.order". Errors: kBadFile naming
/// key, value and limit; those of TensorLoader.
Result<void> load_embedding(TensorLoader& tensors, std::size_t vocab_size, std::size_t hidden_size,
                            Embedding& out);

/// The number of words of the embedding, by the shapes of its tensors alone. Errors: kBadFile.
Result<std::uint64_t> count_words(const Gguf& file, std::uint32_t hidden_size);

}  // namespace partita::internal
