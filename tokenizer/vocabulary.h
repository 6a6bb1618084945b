// What every tokenizer has whatever its algorithm: the words, what each is, and how special ones stand in
// text.
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

namespace partita {

inline constexpr std::size_t kMaxVocabulary = std::size_t{1} << 22;  // tokens; the largest in use have 2^18
inline constexpr std::size_t kMaxSpelling = 4096;              // bytes; the longest in use have some 500
inline constexpr std::size_t kMaxText = std::size_t{1} << 28;  // bytes in one call

/// A vocabulary as a file gives it, every part checked.
struct TokenizerVocabulary {
  StringTable spellings;         // as in the file: "Ġthe", "▁the", "<0x0A>"
  StringTable surfaces;          // the bytes that each token stands for: " the", " the", "\n"
  std::vector<TokenKind> kinds;  // as many as spellings and surfaces
  SpecialIds specials;
  bool adds_space = false;  // a space is put before every text, and not shown again
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

  /// Appends the ids of a stretch of text without control tokens.
  /// begins: a text starts here, which is where some models want a space.
  virtual Result<void> encode_text(std::string_view text, bool begins, std::vector<TokenId>& out) const = 0;

 private:
  std::string_view shown(TokenId id, bool show_control) const;
  bool begins_after(TokenId id) const;

  TokenizerVocabulary vocabulary_;
  PrefixMatcher parsed_;  // spellings that kParse recognises in text: control tokens and the unknown one
  PrefixMatcher user_defined_;  // surfaces that are one token wherever they stand
};

/// Splits `text` where `matcher` finds something: calls on_text(stretch) -> Result<void> for what lies
/// between (never empty) and on_match(id) for what was found, in order.
template <class OnText, class OnMatch>
Result<void> split_at_matches(const PrefixMatcher& matcher, std::string_view text, OnText&& on_text,
                              OnMatch&& on_match) {
  while (!text.empty()) {
    const PrefixMatcher::Match match = matcher.find(text);
    const std::string_view before = match.length == 0 ? text : text.substr(0, match.position);
    if (!before.empty()) {
      if (auto done = on_text(before); !done) return done;
    }
    if (match.length > 0) on_match(match.id);
    text.remove_prefix(before.size() + match.length);
  }
  return {};
}

/// SpecialIds::end_of_generation: `ends` and the control tokens whose spelling says that an answer ends
/// there, as llama.cpp lists them.
std::vector<TokenId> with_ends_by_spelling(std::vector<TokenId> ends,
                                           std::span<const std::string_view> spellings,
                                           std::span<const TokenKind> kinds);

/// The byte that "<0x0A>" spells.
std::optional<std::uint8_t> spelled_byte(std::string_view spelling);

}  // namespace partita
