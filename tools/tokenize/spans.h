// Where tokens stand in the text that they were made of.
#pragma once

#include <cstddef>
#include <optional>
#include <partita/partita.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tools {

/// The bytes [begin, end) of a text.
struct Span {
  std::size_t begin = 0, end = 0;
};

/// A text, its ids, and the span of each id. BOS, EOS and the like, which stand for no byte, have empty
/// spans. Nothing from the first token on whose text is not in the input, because a normalizer changed it.
struct Tokens {
  std::string text;
  std::vector<partita::TokenId> ids;
  std::vector<std::optional<Span>> spans;
};

/// The bytes of a token; of a control token its spelling. Error: kOutOfMemory.
partita::Result<std::string_view> bytes_of(const partita::Model& model, partita::TokenId id);

/// Tokens of a text. Errors: those of Model::tokenize().
partita::Result<Tokens> tokens_of(const partita::Model& model, std::string text, bool parse_specials,
                                  bool add_bos);

}  // namespace tools
