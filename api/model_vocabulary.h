// What the stages of a chain may know about a model's tokens.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "sampling/vocabulary.h"
#include "tokenizer/tokenizer.h"

namespace partita {

/// The texts are put together when one is first asked for, by one thread; they take 2 to 3 MB at 262,144 ids.
class ModelVocabulary : public Vocabulary {
 public:
  /// ids: the rows of the model's head, perhaps more than the tokenizer has, which have no text then.
  /// `tokenizer` must outlive the vocabulary.
  ModelVocabulary(const Tokenizer& tokenizer, std::size_t ids);

  std::size_t size() const override { return ids_; }
  /// Throws std::bad_alloc, once one is first asked for.
  std::string_view text(std::int32_t id) const override;
  std::span<const std::int32_t> ends() const override { return tokenizer_.specials().end_of_generation; }

 private:
  const Tokenizer& tokenizer_;
  std::size_t ids_;
  mutable std::once_flag spelled_;
  mutable std::string bytes_;                // of all ids, one after the other
  mutable std::vector<std::size_t> begins_;  // [ids + 1], in bytes_
};

}  // namespace partita
