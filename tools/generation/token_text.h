// Text output: tables of tokens, and the reason why an answer ended.
#pragma once

#include <span>
#include <string>

#include "tools/common.h"

namespace tools {

/// The text of a token in quotes, with control characters and invalid UTF-8 escaped.
std::string quoted_token(const partita::Model& model, partita::TokenId id);

/// The columns of a table besides a token's number, id and text.
struct TokenColumns {
  bool logprobs = false;     // and the alternatives
  bool confidence = false;   // probability and lead of the likeliest token, entropy, a mark if it is unsure
  bool unsure_only = false;  // only the tokens with such a mark

  bool any() const { return logprobs || confidence; }
};

/// A header line and a line for each token.
std::string token_table(const partita::Model& model, std::span<const partita::Token> tokens,
                        const TokenColumns& columns);

/// The same for a text: log-probability and rank of every token.
std::string score_table(const partita::Model& model, const partita::Score& score);

/// True if an answer of `tokens` tokens ended because the context was full, not because of max_tokens.
bool ended_with_context(partita::Finish finish, std::size_t tokens, int max_tokens);

/// The remedy for a full context that generate names.
inline constexpr const char* kShorterPrompt =
    "a shorter prompt leaves more of it (--attention-window makes long texts cheaper, not longer)";

/// How an answer ended.
struct Ending {
  partita::Finish finish = partita::Finish::kNone;
  bool context_full = false;             // Stream::context_full()
  std::size_t tokens = 0;                // of prompt and answer
  const partita::Token* last = nullptr;  // of the answer; null: there is none
  partita::AbstainRule abstain = {};     // of the request
};
/// One sentence if neither the model nor the user ended the answer: an AbstainRule did (with its reason), or
/// the context was full (with `remedy`). Else empty.
std::string ending_text(const Ending& ending, const std::string& remedy);

}  // namespace tools
