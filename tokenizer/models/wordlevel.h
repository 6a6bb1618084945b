// Word-level models: a piece is one token, or unknown.
#pragma once

#include <optional>

#include "tokenizer/lookup.h"
#include "tokenizer/models/word_model.h"

namespace partita::internal {

class WordLevel final : public WordModel {
 public:
  /// `spellings` must outlive it.
  WordLevel(const StringTable& spellings, std::optional<TokenId> unknown)
      : spellings_(spellings), unknown_(unknown) {}

  Result<void> encode(std::string_view piece, ModelScratch& scratch,
                      std::vector<TokenId>& out) const override;

 private:
  const StringTable& spellings_;
  std::optional<TokenId> unknown_;
};

/// The error for a piece that has no token.
Error no_unknown_token(std::string_view piece);

}  // namespace partita::internal
