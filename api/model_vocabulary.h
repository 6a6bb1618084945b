// The vocabulary as sampler stages see it: size, end tokens, the text of each token.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "sampling/vocabulary.h"
#include "tokenizer/tokenizer.h"

namespace partita::internal {

/// The first call of text() builds the texts of all ids; they take 2 to 3 MB at 262,144 ids.
class ModelVocabulary : public Vocabulary {
 public:
  /// ids: the rows of the model's head. Rows beyond the tokenizer's ids have no text.
  /// `tokenizer` must outlive the vocabulary.
  ModelVocabulary(const Tokenizer& tokenizer, std::size_t ids);

  std::size_t size() const override { return ids_; }
  /// Throws std::bad_alloc, in the first call alone.
  std::string_view text(std::int32_t id) const override;
  std::span<const std::int32_t> ends() const override { return tokenizer_.specials().end_of_generation; }

 private:
  const Tokenizer& tokenizer_;
  std::size_t ids_;
  mutable std::once_flag spelled_;
  mutable std::string bytes_;                // of all ids, one after the other
  mutable std::vector<std::size_t> begins_;  // [ids + 1], in bytes_
};

}  // namespace partita::internal
