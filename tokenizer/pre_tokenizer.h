// Splits text into the words that byte-level BPE works on, with the regular expressions that the models were
// trained with. Sources: the pre_tokenizer entries of the models' tokenizer.json (Hugging Face tokenizers);
// "default" is llama.cpp's for files that name no other. Qwen2's tokenizer.json composes characters (NFC)
// before it splits; that is not done here, as in llama.cpp, so that every text comes back as it was.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "partita/result.hpp"

namespace partita {

class PreTokenizer {
 public:
  /// name: as in tokenizer.ggml.pre. Error: kUnsupported naming it and those that there are.
  static Result<PreTokenizer> create(std::string_view name);

  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;
  ~PreTokenizer();

  /// Appends the words of `text`, in order and without gaps. Threads may share one PreTokenizer.
  /// text: valid UTF-8. Error: kUnsupported if an expression needs more steps than the limit on them.
  Result<void> split(std::string_view text, std::vector<std::string_view>& words) const;

  /// A word that is itself in the vocabulary is one token whatever the merges say (Llama 3).
  bool whole_words_first() const;

  /// Whether such models want BOS where the metadata is silent.
  bool adds_bos() const;

 private:
  struct Impl;
  explicit PreTokenizer(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace partita
