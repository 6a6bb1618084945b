// How two tokenizers differ on a text.
#pragma once

#include <partita/partita.hpp>
#include <string>
#include <vector>

#include "tools/common.h"
#include "tools/tokenize/spans.h"

namespace tools {

/// Ids of the same bytes that differ: [begin, begin + count) of each list.
struct Difference {
  std::optional<std::size_t> offset;  // in bytes; nothing where a normalizer changed the text before
  std::size_t begin[2] = {}, count[2] = {};
};

/// All differences, in the order of the text.
std::vector<Difference> differences(const Tokens& a, const Tokens& b);

/// {"same","counts":[a,b],"differences":[{"offset","ids":[[],[]],"pieces":[[],[]]}]}
Json comparison_json(const partita::Model& a, const Tokens& of_a, const partita::Model& b,
                     const Tokens& of_b);

/// The same for people, with the first differences alone. The second tokenizer is called `other`.
std::string comparison_text(const partita::Model& a, const Tokens& of_a, const partita::Model& b,
                            const Tokens& of_b, const std::string& other);

}  // namespace tools
