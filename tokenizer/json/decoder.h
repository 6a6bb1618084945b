// Decoders of tokenizer.json: they turn the spellings of tokens into text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/json/fields.h"

namespace partita::internal {

class Decoder {
 public:
  virtual ~Decoder() = default;

  /// Changes the texts of adjacent tokens in place; their concatenation is the text at the end of a chain.
  /// Where the reference puts U+FFFD for bytes that are not UTF-8, the bytes stay.
  virtual void decode(std::vector<std::string>& tokens) const = 0;

  /// How many times longer it can make a text, but for a space per token.
  virtual std::size_t growth() const { return 1; }
};

/// The decoder of a component, by its "type". An error is kept by `fields`; the result is null then. One that
/// can make a text more than 64 times longer is an error.
std::unique_ptr<Decoder> read_decoder(ComponentFields fields);

/// Of a file without a decoder: a space between tokens.
std::unique_ptr<Decoder> spaces_between_tokens();

}  // namespace partita::internal
