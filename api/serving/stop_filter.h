// From tokens to text that may be shown: whole characters, and nothing that could still become a stop string.
#pragma once

#include <string>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"

namespace partita {

/// Holds text back while it could be the beginning of a stop string, so that a stop which straddles tokens
/// never leaks. What push() and finish() return, put together, is the whole text up to the stop.
class TextGate {
 public:
  /// Error: kInvalidArgument for an empty stop string.
  static Result<void> check(const std::vector<std::string>& stops);
  /// Errors: those of check().
  static Result<TextGate> create(const Tokenizer& tokenizer, std::vector<std::string> stops);

  /// Goes through a prompt silently: what follows continues its last, perhaps unfinished, character.
  void prime(std::span<const TokenId> prompt);

  /// The text that `id` releases (may be empty).
  std::string push(TokenId id);

  /// The end of the answer: what was held back, incomplete bytes as U+FFFD.
  std::string finish();

  /// A stop string was met; nothing more will come.
  bool stopped() const { return stopped_; }

 private:
  TextGate(const Tokenizer& tokenizer, std::vector<std::string> stops)
      : tokenizer_(&tokenizer), detokenizer_(tokenizer), stops_(std::move(stops)) {}
  bool cut_at_stop();

  const Tokenizer* tokenizer_;
  Detokenizer detokenizer_;
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace partita
