// WordPiece models (BERT): the longest token that begins a word, then the longest that continues it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "tokenizer/models/word_model.h"
#include "tokenizer/prefix_matcher.h"

namespace partita::internal {

class WordPiece final : public WordModel {
 public:
  struct Settings {
    std::optional<TokenId> unknown;    // of a word that cannot be spelled
    std::size_t max_characters = 100;  // of a word; longer ones are unknown
  };

  /// What begins words, and what continues them, without its prefix.
  WordPiece(PrefixMatcher beginnings, PrefixMatcher continuations, const Settings& settings);

  Result<void> encode(std::string_view piece, ModelScratch& scratch,
                      std::vector<TokenId>& out) const override;

 private:
  PrefixMatcher beginnings_, continuations_;
  Settings settings_;
};

}  // namespace partita::internal
