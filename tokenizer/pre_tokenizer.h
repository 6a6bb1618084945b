// The pre-tokenizer: splits text into the words that byte-level BPE merges within, as the models were trained
// (tokenizer/pre/schemes.cc has the names and the expressions). Qwen2's tokenizer.json normalizes to NFC
// before it splits; Partita, like llama.cpp, does not, so that decoding returns the original text.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/json/json_expression.h"
#include "tokenizer/pre/expression.h"
#include "tokenizer/pre/scheme.h"

namespace partita::internal {

class PreTokenizer {
 public:
  enum class Splitter { kFastest, kDefinition };

  /// name: as in tokenizer.ggml.pre. Splitter::kDefinition: by expressions, even if the words are found by
  /// hand too. Error: kUnsupported with the name.
  static Result<PreTokenizer> create(std::string_view name, Splitter splitter = Splitter::kFastest);

  /// By an expression of a file, in the syntax of fancy-regex. Words that are in the vocabulary become one
  /// token. Error: those of JsonExpression::compile().
  static Result<PreTokenizer> from_expression(std::string_view pattern);

  /// Calls on_word(std::string_view) for each word of `text`, in order and without gaps. Threads may share
  /// one PreTokenizer. text: valid UTF-8. Error: kUnsupported if an expression exceeds the limit on match
  /// steps.
  template <class OnWord>
  Result<void> for_each_word(std::string_view text, OnWord&& on_word) const;

  /// Appends the words of `text`.
  Result<void> split(std::string_view text, std::vector<std::string_view>& words) const;

  /// A word that is in the vocabulary becomes one token, whatever the merges say (Llama 3; "ignore_merges" in
  /// tokenizer.json).
  bool ignore_merges() const { return scheme_->ignore_merges; }

  /// Whether models with this pre-tokenizer add BOS if the metadata does not say.
  bool add_bos() const { return scheme_->add_bos; }

 private:
  PreTokenizer(const Scheme& scheme, std::vector<Expression> expressions, WordEnd word_end)
      : scheme_(&scheme), expressions_(std::move(expressions)), word_end_(word_end) {}

  Result<void> split_by_passes(std::string_view text, std::vector<std::string_view>& words) const;

  const Scheme* scheme_;
  std::optional<JsonExpression> own_;    // of a file; the scheme has no passes then
  std::vector<Expression> expressions_;  // those of the passes, in order; none if word_end_ is used
  WordEnd word_end_;                     // null: by passes
};

template <class OnWord>
Result<void> PreTokenizer::for_each_word(std::string_view text, OnWord&& on_word) const {
  if (word_end_ == nullptr) {
    std::vector<std::string_view> words;
    auto done = split_by_passes(text, words);
    if (!done) return done;
    for (const std::string_view word : words) on_word(word);
    return {};
  }
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    const char* const behind = word_end_(at, end);
    on_word(std::string_view(at, static_cast<std::size_t>(behind - at)));
    at = behind;
  }
  return {};
}

}  // namespace partita::internal
