// Tokens of an answer or of a text as tables, and why an answer ended, for people.
#pragma once

#include <span>
#include <string>

#include "tools/common.h"

namespace tools {

/// The text of a token in quotes, control characters and broken characters made visible.
std::string quoted_token(const partita::Model& model, partita::TokenId id);

/// What a table shows of each token besides its number, its id and its text.
struct TokenColumns {
  bool logprobs = false;    // and the alternatives
  bool confidence = false;  // of the likeliest: probability, lead; entropy; a mark where the model was unsure
  bool unsure_only = false;  // leave out the tokens without such a mark

  bool any() const { return logprobs || confidence; }
};

/// A line for each token, under a line that names the columns.
std::string token_table(const partita::Model& model, std::span<const partita::Token> tokens,
                        const TokenColumns& columns);

/// The log-probability and rank of every token of a text, in the same form.
std::string score_table(const partita::Model& model, const partita::Score& score);

/// Whether an answer of so many tokens ended because the context was full, not because it was long enough.
bool ended_with_context(partita::Finish finish, std::size_t tokens, int max_tokens);

/// What is to be done about a full context, by generate.
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
/// One sentence where an answer ended though neither the model nor its user ended it: by an AbstainRule, with
/// what the model was unsure of, or by a full context, with `remedy`. Empty where it ended otherwise.
std::string ending_text(const Ending& ending, const std::string& remedy);

}  // namespace tools
