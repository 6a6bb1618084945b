// Text from a stream of tokens.
#pragma once

#include <string>

#include "tokenizer/tokenizer.h"

namespace partita::internal {

/// Streaming detokenizer: turns tokens into text and buffers bytes until a UTF-8 character is complete.
/// Invalid bytes become U+FFFD.
class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer, bool show_control = false);
  /// Adds a token; returns the characters that it completes (may be empty).
  std::string push(TokenId id);
  /// Returns the rest at the end: incomplete bytes become U+FFFD.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool show_control_;
  bool first_ = true;  // the next token begins a text
  std::string held_;
};

}  // namespace partita::internal
