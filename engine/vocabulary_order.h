// The vocabulary order of adaptive softmax and adaptive embeddings: a word has a rank (0: the most frequent),
// and cutoffs divide the ranks into clusters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// The elements of an array of integers. Errors: kNotFound; kBadFile naming the key, the element and the
/// limits, or the size and its limit.
Result<std::vector<std::int64_t>> read_integers(const Gguf& file, std::string_view key, std::int64_t min,
                                                std::int64_t max, std::size_t max_elements);

/// The end rank of each cluster: strictly increasing, below `vocab`; the function appends `vocab` itself.
/// Errors: kBadFile.
Result<std::vector<std::size_t>> read_cutoffs(const Gguf& file, std::string_view key, std::size_t vocab,
                                              std::size_t min);

/// A permutation of the vocabulary, in both directions. Empty: the rank of an id is the id.
struct VocabularyOrder {
  std::vector<std::uint32_t> id_of;    // by rank
  std::vector<std::uint32_t> rank_of;  // by id
};

/// Reads "partita.vocabulary.order". Errors: kBadFile if an id is missing or occurs twice.
Result<VocabularyOrder> read_order(const Gguf& file, std::size_t vocab);

}  // namespace partita::internal
