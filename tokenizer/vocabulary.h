// The part of a tokenizer that does not depend on its algorithm: the vocabulary, token kinds, special tokens
// in text, decoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/lookup.h"
#include "tokenizer/prefix_matcher.h"
#include "tokenizer/tokenizer.h"
#include "weights/try.h"

namespace partita::internal {

inline constexpr std::size_t kMaxVocabulary = std::size_t{1} << 22;  // tokens; the largest in use have 2^18
inline constexpr std::size_t kMaxSpelling = 4096;              // bytes; the longest in use have some 500
inline constexpr std::size_t kMaxText = std::size_t{1} << 28;  // bytes in one call

/// A vocabulary from a file, fully checked.
struct TokenizerVocabulary {
  StringTable spellings;         // as in the file: "Ġthe", "▁the", "<0x0A>"
  StringTable surfaces;          // the bytes of each token: " the", " the", "\n"
  std::vector<TokenKind> kinds;  // same size as spellings and surfaces
  SpecialIds specials;
  bool add_space_prefix = false;  // encode() puts a space before every text, decode() removes it
};

/// The part of a tokenizer that needs only its vocabulary.
class VocabularyTokenizer : public Tokenizer {
 public:
  explicit VocabularyTokenizer(TokenizerVocabulary vocabulary);

  Result<void> encode(std::string_view text, Specials specials, std::vector<TokenId>& out) const final;
  std::string piece(TokenId id, bool show_control) const final;
  std::string decode(std::span<const TokenId> ids, bool show_control) const final;
  std::size_t size() const final { return vocabulary_.kinds.size(); }
  TokenKind kind(TokenId id) const final;
  const SpecialIds& specials() const final { return vocabulary_.specials; }
  std::string_view spelling(TokenId id) const final;

 protected:
  const TokenizerVocabulary& vocabulary() const { return vocabulary_; }
  const PrefixMatcher& user_defined() const { return user_defined_; }

  /// Appends the ids of text that contains no control tokens. at_start: the start of a text, where some
  /// models add a space.
  virtual Result<void> encode_text(std::string_view text, bool at_start, std::vector<TokenId>& out) const = 0;

 private:
  std::string_view shown(TokenId id, bool show_control) const;
  bool begins_after(TokenId id) const;

  TokenizerVocabulary vocabulary_;
  PrefixMatcher
      special_tokens_;  // spellings that kParse recognises in text: control tokens and the unknown one
  PrefixMatcher user_defined_;  // surfaces that are always one token
};

/// Splits `text` at the matches of `matcher`: calls on_text(stretch) -> Result<void> for the text between
/// matches (never empty) and on_match(id) for each match, in order.
template <class OnText, class OnMatch>
Result<void> split_at_matches(const PrefixMatcher& matcher, std::string_view text, OnText&& on_text,
                              OnMatch&& on_match) {
  while (!text.empty()) {
    const PrefixMatcher::Match match = matcher.find(text);
    const std::string_view before = match.length == 0 ? text : text.substr(0, match.position);
    if (!before.empty()) {
      TRY(on_text(before));
    }
    if (match.length > 0) on_match(match.id);
    text.remove_prefix(before.size() + match.length);
  }
  return {};
}

/// SpecialIds::end_of_generation: `ends` and the control tokens whose spelling marks the end of an answer,
/// from llama.cpp's list.
std::vector<TokenId> with_ends_by_spelling(std::vector<TokenId> ends,
                                           std::span<const std::string_view> spellings,
                                           std::span<const TokenKind> kinds);

/// The byte that "<0x0A>" spells.
std::optional<std::uint8_t> spelled_byte(std::string_view spelling);

}  // namespace partita::internal
