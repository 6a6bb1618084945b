// Cutoffs and order of a vocabulary that is cut into parts by frequency.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita {

/// The elements of an array of whole numbers. Errors: kNotFound; kBadFile naming the key, the element and the
/// limits, or the size and its limit.
Result<std::vector<std::int64_t>> read_whole_numbers(const Gguf& file, std::string_view key,
                                                     std::int64_t least, std::int64_t most,
                                                     std::size_t most_elements);

/// Where parts end: strictly increasing, below `vocab`; `vocab` itself is added at the end. Errors: kBadFile.
Result<std::vector<std::size_t>> read_cutoffs(const Gguf& file, std::string_view key, std::size_t vocab,
                                              std::size_t least);

/// A permutation of the vocabulary, both ways. Empty: every id is at the place of its number.
struct VocabularyOrder {
  std::vector<std::uint32_t> id_of;     // by place
  std::vector<std::uint32_t> place_of;  // by id
};

/// "partita.vocabulary.order". Errors: kBadFile: not every id stands in it once.
Result<VocabularyOrder> read_order(const Gguf& file, std::size_t vocab);

}  // namespace partita
