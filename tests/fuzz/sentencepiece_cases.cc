// Any bytes as a SentencePiece model. An accepted model encodes texts to ids that exist, and decodes them.
#include "tests/fuzz/support.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/models/sentencepiece_model.h"
#include "tokenizer/utf8.h"

namespace partita::internal::fuzz {

void run_sentencepiece(Bytes bytes) {
  const MemoryFile file(text_of(bytes));
  const auto tokenizer = open_sentencepiece(file.path());
  if (!tokenizer) return require_message(tokenizer.error());
  for (const std::string_view text :
       {"", "hello  world", " a\n\tb", "na\xC3\xAFve \xE6\x9D\xB1 \xF0\x9F\x99\x82 \xFF\xC3"}) {
    std::vector<TokenId> ids;
    const auto encoded = (*tokenizer)->encode(text, Specials::kParse, ids);
    if (!encoded) {
      require_message(encoded.error());
      continue;
    }
    std::string streamed;
    Detokenizer detokenizer(**tokenizer, true);
    for (const TokenId id : ids) {
      require((*tokenizer)->contains(id));
      streamed += detokenizer.push(id);
    }
    streamed += detokenizer.finish();
    require(valid_prefix(streamed) == streamed.size());
    (*tokenizer)->decode(ids);
  }
}

}  // namespace partita::internal::fuzz
