// The pre-tokenizer: splits text into the words that byte-level BPE merges within, by the regular expressions
// that the models were trained with. Sources: the pre_tokenizer entries of the models' tokenizer.json
// (Hugging Face tokenizers); "default" is llama.cpp's for files that name none. Qwen2's tokenizer.json
// normalizes to NFC before it splits; Partita, like llama.cpp, does not, so that decoding returns the
// original text.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "partita/result.hpp"

namespace partita::internal {

class PreTokenizer {
 public:
  /// name: as in tokenizer.ggml.pre. Error: kUnsupported with the name and the supported ones.
  static Result<PreTokenizer> create(std::string_view name);

  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;
  ~PreTokenizer();

  /// Appends the words of `text`, in order and without gaps. Threads may share one PreTokenizer. text: valid
  /// UTF-8. Error: kUnsupported if an expression exceeds the limit on match steps.
  Result<void> split(std::string_view text, std::vector<std::string_view>& words) const;

  /// A word that is in the vocabulary becomes one token, whatever the merges say (Llama 3; "ignore_merges" in
  /// tokenizer.json).
  bool ignore_merges() const;

  /// Whether models with this pre-tokenizer add BOS if the metadata does not say.
  bool add_bos() const;

 private:
  struct Impl;
  explicit PreTokenizer(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace partita::internal
