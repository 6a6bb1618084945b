// A vocabulary and a text from the same bytes. An accepted vocabulary must encode the text to ids that exist,
// and decode it to the same text if it can represent every text.
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/support.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/open.h"
#include "tokenizer/pre/scheme.h"
#include "tokenizer/utf8.h"
#include "weights/gguf/gguf.h"
#include "weights/gguf/writer.h"

namespace partita::internal::fuzz {
namespace {

std::string hex_token(unsigned byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + ">";
}

struct Settings {
  bool is_byte_level, has_bytes, adds_space, collapses_spaces;
};

Settings read_settings(Input& input) {
  const unsigned bits = input.byte();
  return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 56) == 0};
}

/// A vocabulary of up to 40 tokens, with or without all byte tokens at its start.
GgufWriter read_vocabulary(Input& input, const Settings& settings) {
  std::vector<std::string_view> pre = scheme_names();
  pre.insert(pre.end(), {"gemma4", "mmbert", "sarvam-moe"});
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  std::vector<float> scores;
  std::vector<std::string> merges;
  for (unsigned byte = 0; settings.has_bytes && byte < 256; ++byte) {
    tokens.push_back(hex_token(byte));
    types.push_back(6);
    scores.push_back(0);
  }
  for (unsigned count = input.byte() % 40; count > 0 && !input.empty(); --count) {
    types.push_back(input.byte() % 8);
    scores.push_back(static_cast<float>(input.byte()) - 100.0f);
    tokens.push_back(input.string(6));
  }
  for (unsigned count = input.byte() % 4; count > 0 && !tokens.empty(); --count) {
    merges.push_back(tokens[input.byte() % tokens.size()] + " " + tokens[input.byte() % tokens.size()]);
  }
  GgufWriter file;
  file.add("tokenizer.ggml.model", settings.is_byte_level ? "gpt2" : "llama")
      .add("tokenizer.ggml.tokens", tokens);
  file.add("tokenizer.ggml.token_type", types).add("tokenizer.ggml.scores", scores);
  file.add("tokenizer.ggml.merges", merges)
      .add("tokenizer.ggml.pre", std::string(pre[input.byte() % pre.size()]));
  file.add("tokenizer.ggml.add_space_prefix", settings.adds_space);
  file.add("tokenizer.ggml.remove_extra_whitespaces", settings.collapses_spaces);
  if (input.byte() % 2 == 0) file.add("tokenizer.ggml.unknown_token_id", std::uint32_t{input.byte()});
  return file;
}

/// round_trips: the vocabulary can represent every text.
void check_text(const Tokenizer& tokenizer, std::string_view text, bool round_trips) {
  for (const Specials specials : {Specials::kParse, Specials::kAsText}) {
    std::vector<TokenId> ids;
    if (!tokenizer.encode(text, specials, ids)) {
      require(ids.empty() && !round_trips);
      continue;
    }
    std::string streamed;
    Detokenizer detokenizer(tokenizer, true);
    for (const TokenId id : ids) {
      require(tokenizer.contains(id));
      streamed += detokenizer.push(id);
    }
    streamed += detokenizer.finish();
    require(valid_prefix(streamed) == streamed.size());
    const std::string decoded = tokenizer.decode(ids, true);
    require(decoded == streamed || valid_prefix(decoded) < decoded.size());
    require(decoded == text || !round_trips);
    require(tokenizer.encode_prompt(text, specials).ok());
  }
}

}  // namespace

void run_tokenizer(Bytes bytes) {
  Input input(bytes);
  const Settings settings = read_settings(input);
  const auto written = read_vocabulary(input, settings).bytes();
  if (!written) return;  // for instance, a key is too long
  const auto file = Gguf::parse(*written, "fuzz");
  require(file.ok());
  const auto tokenizer = open_tokenizer(*file);
  if (!tokenizer) return require_message(tokenizer.error());
  const bool round_trips = !settings.is_byte_level && settings.has_bytes && !settings.collapses_spaces;
  check_text(**tokenizer, input.rest(), round_trips);
}

}  // namespace partita::internal::fuzz
