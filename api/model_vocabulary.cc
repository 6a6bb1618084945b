#include "api/model_vocabulary.h"

#include <algorithm>

namespace partita {

ModelVocabulary::ModelVocabulary(const Tokenizer& tokenizer, std::size_t ids)
    : tokenizer_(tokenizer), ids_(std::max(ids, tokenizer.size())) {}

std::string_view ModelVocabulary::text(std::int32_t id) const {
  std::call_once(spelled_, [&] {
    begins_.assign(1, 0);
    for (std::size_t i = 0; i < ids_; ++i) {
      const auto each = static_cast<TokenId>(i);
      if (tokenizer_.contains(each)) bytes_ += tokenizer_.piece(each);
      begins_.push_back(bytes_.size());
    }
  });
  const auto at = static_cast<std::size_t>(id);
  return std::string_view(bytes_).substr(begins_[at], begins_[at + 1] - begins_[at]);
}

}  // namespace partita
