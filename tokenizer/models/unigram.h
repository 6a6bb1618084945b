// Unigram models (SentencePiece, T5): the tokens of a piece whose scores have the largest sum.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/lookup.h"
#include "tokenizer/models/word_model.h"
#include "tokenizer/prefix_matcher.h"

namespace partita::internal {

class Unigram final : public WordModel {
 public:
  /// pieces: the tokens that text is made of; scores: of each id; unknown: of text without a token;
  /// byte_tokens: what unknown text becomes instead, for each byte, if they are all there.
  Unigram(std::vector<PrefixMatcher::Spelling> pieces, std::vector<double> scores,
          std::optional<TokenId> unknown, const std::array<std::optional<TokenId>, 256>& byte_tokens);

  Result<void> encode(std::string_view piece, ModelScratch& scratch,
                      std::vector<TokenId>& out) const override;

 private:
  void find_paths(std::string_view piece, std::vector<ModelScratch::Node>& nodes) const;
  Result<void> write_unknown(std::string_view text, std::vector<TokenId>& out) const;

  PrefixMatcher pieces_;
  std::vector<double> scores_;
  double unknown_score_ = 0;
  std::optional<TokenId> unknown_;
  std::array<std::optional<TokenId>, 256> byte_tokens_;
};

}  // namespace partita::internal
