#include "api/quantize/text_chunks.h"

#include <utility>

#include "weights/sentence.h"

namespace partita::internal {

Result<std::vector<std::vector<TokenId>>> text_chunks(const LoadedModel& model, std::string_view text,
                                                      std::size_t size) {
  const auto ids = model.tokenizer->encode_prompt(text, Specials::kAsText);
  if (!ids) return ids.error();
  const auto beginning = model.tokenizer->encode_prompt("", Specials::kAsText);
  if (!beginning) return beginning.error();
  if (ids->size() < size)
    return invalid("the text has ", ids->size(), " tokens, and a chunk ", size, ": give a longer text");
  std::vector<std::vector<TokenId>> chunks;
  for (std::size_t at = 0; at + size <= ids->size(); at += size) {
    const auto first = ids->begin() + static_cast<std::ptrdiff_t>(at);
    std::vector<TokenId> chunk(first, first + static_cast<std::ptrdiff_t>(size));
    if (beginning->size() == 1) chunk.front() = beginning->front();
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

}  // namespace partita::internal
