// A model of tokenizer.json: the ids of one piece of text, after the text was normalized and split.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/models/merger.h"
#include "tokenizer/token.h"

namespace partita::internal {

/// Memory that models reuse from piece to piece.
struct ModelScratch {
  /// Of the best path to a place in the text.
  struct Node {
    double score = 0;
    std::size_t begin = 0;  // of its last token
    TokenId id = -1;        // -1: no path
  };

  Merger merger;
  std::string text;
  std::vector<Node> nodes;
  std::vector<std::size_t> ends;
};

class WordModel {
 public:
  virtual ~WordModel() = default;

  /// Appends the ids of a piece: valid UTF-8, not empty. Error: kUnsupported for text that the vocabulary
  /// cannot express, where it has no unknown token.
  virtual Result<void> encode(std::string_view piece, ModelScratch& scratch,
                              std::vector<TokenId>& out) const = 0;

  /// How many characters of a piece encode() drops.
  virtual std::size_t dropped(std::string_view) const { return 0; }
};

}  // namespace partita::internal
