#include "api/model_vocabulary.h"

#include <algorithm>

namespace partita::internal {

ModelVocabulary::ModelVocabulary(const Tokenizer& tokenizer, std::size_t ids)
    : tokenizer_(tokenizer), ids_(std::max(ids, tokenizer.size())) {}

std::string_view ModelVocabulary::text(std::int32_t id) const {
  std::call_once(spelled_, [&] {
    std::string bytes;
    std::vector<std::size_t> begins(1, 0);
    for (std::size_t i = 0; i < ids_; ++i) {
      const auto each = static_cast<TokenId>(i);
      if (tokenizer_.contains(each)) bytes += tokenizer_.piece(each);
      begins.push_back(bytes.size());
    }
    bytes_.swap(bytes);  // complete or unchanged: after an exception the next call starts over
    begins_.swap(begins);
  });
  const auto at = static_cast<std::size_t>(id);
  return std::string_view(bytes_).substr(begins_[at], begins_[at + 1] - begins_[at]);
}

}  // namespace partita::internal
