// Detokenizes an answer as a stream: releases whole characters, holds back text that may begin a stop string,
// and ends at a stop string.
#pragma once

#include <string>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/detokenizer.h"

namespace partita::internal {

/// Holds text back while it may be the beginning of a stop string, so that no part of a stop string across
/// several tokens is shown. What push() and finish() return is, in sequence, the whole text up to the stop.
class StopFilter {
 public:
  /// Error: kInvalidArgument for an empty stop string.
  static Result<void> check(const std::vector<std::string>& stops);
  /// Errors: those of check().
  static Result<StopFilter> create(const Tokenizer& tokenizer, std::vector<std::string> stops);

  /// Sets the state after a prompt, without text: the answer continues its last, perhaps incomplete,
  /// character.
  void prime(std::span<const TokenId> prompt);

  /// The text that `id` releases (may be empty).
  std::string push(TokenId id);

  /// Ends the answer: returns the text held back, with incomplete bytes as U+FFFD.
  std::string finish();

  /// Whether a stop string was found; then no more text comes.
  bool stopped() const { return stopped_; }

 private:
  StopFilter(const Tokenizer& tokenizer, std::vector<std::string> stops)
      : tokenizer_(&tokenizer), detokenizer_(tokenizer), stops_(std::move(stops)) {}
  bool cut_at_stop();

  const Tokenizer* tokenizer_;
  Detokenizer detokenizer_;
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace partita::internal
