// The added tokens of tokenizer.json: texts that are one token wherever they stand.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json/fields.h"
#include "tokenizer/json/normalizer.h"
#include "tokenizer/prefix_matcher.h"
#include "tokenizer/tokenizer.h"

namespace partita::internal {

struct AddedToken {
  std::string content;
  TokenId id = -1;
  bool single_word = false;  // matches no part of a word
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // and after it
  bool normalized = false;   // its normal form is looked for, in normalized text
  bool special = false;
  std::string normal_form = {};
};

/// "added_tokens" of the file. As tokenizers does it, a token has the id that the model gives it, else the
/// next one behind the model's, whatever the file says. Errors are kept by `error`.
std::vector<AddedToken> read_added_tokens(const nlohmann::json& file, std::optional<Error>& error);

class AddedTokens {
 public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  AddedTokens(AddedTokens&&) noexcept = default;
  AddedTokens& operator=(AddedTokens&&) noexcept = default;

  enum class In : std::uint8_t { kOriginal, kNormalized };

  /// A stretch of a text: a token, or the text between tokens.
  struct Part {
    std::string_view text;
    TokenId id = -1;  // -1: no token
  };

  /// Appends the parts of `text`, leftmost first, of tokens that begin at one place the longest. kAsText
  /// leaves special tokens in the text.
  void split(std::string_view text, In in, Specials specials, std::vector<Part>& out) const;

 private:
  PrefixMatcher matcher_of(bool normalized) const;

  std::vector<AddedToken> tokens_;
  PrefixMatcher original_, normalized_;  // ids are indices of tokens_, whose strings they view
};

}  // namespace partita::internal
