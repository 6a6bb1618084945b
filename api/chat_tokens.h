// Tokenizes a rendered chat. Control tokens that the template wrote become control tokens; in messages their
// spellings stay text, so a user cannot inject one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/jinja/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace partita::internal {

/// The spellings of a vocabulary's control tokens, found in text longest first.
class ControlTokens {
 public:
  ControlTokens() = default;
  explicit ControlTokens(const Tokenizer& tokenizer);

  struct Match {
    std::size_t begin = 0, end = 0;  // bytes of the text
    TokenId id = -1;
  };
  /// Left to right, without overlaps. Where `trusted` is not empty, only matches whose every byte is trusted.
  /// trusted: [text size], or empty.
  std::vector<Match> find(std::string_view text, const std::vector<bool>& trusted) const;

 private:
  struct Spelling {
    std::string text;
    TokenId id = -1;
  };
  std::vector<Spelling> by_first_[256];  // longest first
};

/// The ids of a conversation. Its text is tokenized as a whole, but control tokens are recognised only in the
/// parts that the template wrote. BOS as the model wants it, never twice.
Result<std::vector<TokenId>> tokenize_pieces(const Tokenizer& tokenizer, const ControlTokens& controls,
                                             std::span<const ChatTemplate::Piece> pieces);

}  // namespace partita::internal
