// A tokenizer.json up to the first zero byte, then a text. An accepted tokenizer encodes texts to ids that
// exist, and decodes them.
#include "tests/fuzz/support.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/json/tokenizer_json.h"
#include "tokenizer/utf8.h"

namespace partita::internal::fuzz {
namespace {

void check_text(const Tokenizer& tokenizer, std::string_view text, Specials specials) {
  std::vector<TokenId> ids;
  const auto encoded = tokenizer.encode(text, specials, ids);
  if (!encoded) return require_message(encoded.error());
  std::string streamed;
  Detokenizer detokenizer(tokenizer, true);
  for (const TokenId id : ids) {
    require(tokenizer.contains(id));
    streamed += detokenizer.push(id);
  }
  streamed += detokenizer.finish();
  require(valid_prefix(streamed) == streamed.size());
  tokenizer.decode(ids);
  require(tokenizer.dropped_bytes(text) <= 4 * text.size() + 16);
  if (const auto prompt = tokenizer.encode_prompt(text, specials)) {
    for (const TokenId id : *prompt) require(tokenizer.contains(id));
  }
}

}  // namespace

void run_tokenizer_json(Bytes bytes) {
  Input input(bytes);
  const auto tokenizer = read_json_tokenizer(input.text(), "tokenizer.json");
  if (!tokenizer) return require_message(tokenizer.error());
  for (const std::string_view text :
       {std::string_view(), input.rest(), std::string_view("hello  world <s>it's"),
        std::string_view("na\xC3\xAFve \xE6\x9D\xB1 \xF0\x9F\x99\x82 \xFF\xC3 e\xCC\x81 12\t\n")}) {
    for (const Specials specials : {Specials::kParse, Specials::kAsText})
      check_text(**tokenizer, text, specials);
  }
}

}  // namespace partita::internal::fuzz
