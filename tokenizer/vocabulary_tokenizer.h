// The part of a tokenizer that does not depend on its algorithm: token kinds, special tokens in text,
// decoding.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/prefix_matcher.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace partita::internal {

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

}  // namespace partita::internal
