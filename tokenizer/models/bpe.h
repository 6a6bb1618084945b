// BPE models of tokenizer.json: pairs of adjacent tokens are merged by rank, from characters on.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "tokenizer/lookup.h"
#include "tokenizer/models/word_model.h"

namespace partita::internal {

class Bpe final : public WordModel {
 public:
  struct Settings {
    std::string continuing_prefix;    // before every character of a piece but the first
    std::string end_suffix;           // after the last
    std::optional<TokenId> unknown;   // of a character without a token; none: it is dropped
    bool unknown_is_missing = false;  // the unknown token has no id: such a character is an error
    bool fuse_unknown = false;        // adjacent unknown characters are one token
    bool ignore_merges = false;       // a piece that is a token stays whole
    std::array<std::optional<TokenId>, 256>
        byte_tokens;  // what a character becomes if all its bytes have one
  };

  /// `spellings` must outlive it.
  Bpe(const StringTable& spellings, MergeTable merges, Settings settings);

  Result<void> encode(std::string_view piece, ModelScratch& scratch,
                      std::vector<TokenId>& out) const override;
  std::size_t dropped(std::string_view piece) const override;

 private:
  /// The token of a character in its place.
  std::optional<TokenId> find(std::string_view character, bool is_first, bool is_last,
                              std::string& text) const;
  bool has_bytes(std::string_view text) const;
  Result<void> add_unknown(std::string_view character, bool follows_unknown,
                           std::vector<Symbol>& symbols) const;

  const StringTable& spellings_;
  MergeTable merges_;
  Settings settings_;
};

}  // namespace partita::internal
