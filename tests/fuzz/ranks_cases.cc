// A rank file of tiktoken, or a tekken.json where the first byte is odd. What is accepted is a tokenizer that
// returns every text.
#include <fstream>

#include "api/convert/rank_vocabulary.h"
#include "tests/fuzz/support.h"
#include "tokenizer/open.h"

namespace partita::internal::fuzz {
namespace {

/// The 256 bytes as a rank file, so that inputs need no more than the tokens after them.
std::string rank_lines() {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string lines;
  for (unsigned byte = 0; byte < 256; ++byte) {
    lines += {kDigits[byte >> 2], kDigits[byte << 4 & 0x3F], '=', '=', ' '};
    lines += std::to_string(byte) + "\n";
  }
  return lines;
}

void check_text(const Tokenizer& tokenizer, std::string_view text, Specials specials) {
  std::vector<TokenId> ids;
  const auto encoded = tokenizer.encode(text, specials, ids);
  if (!encoded) return require_message(encoded.error());
  for (const TokenId id : ids) require(tokenizer.contains(id));
  require(tokenizer.decode(ids, true) == text);
}

void check_file(const std::string& path, std::string_view text) {
  const auto file = rank_vocabulary(path, 0, false);
  if (!file) return require_message(file.error());
  const auto tokenizer = open_tokenizer(*file);
  if (!tokenizer) return require_message(tokenizer.error());
  for (const std::string_view each : {text, std::string_view("it's 1234  <|a|> na\xC3\xAFve \xFF\n")}) {
    check_text(**tokenizer, each, Specials::kParse);
    check_text(**tokenizer, each, Specials::kAsText);
  }
}

}  // namespace

void run_ranks(Bytes bytes) {
  Input input(bytes);
  const bool is_tekken = (input.byte() & 1) != 0;
  const std::string config(input.text()), vocabulary(input.text());
  const std::string path = scratch_directory() + "/ranks";
  std::ofstream(scratch_directory() + "/tokenizer_config.json") << config;
  std::ofstream(path) << (is_tekken ? "" : rank_lines()) << vocabulary;
  check_file(path, input.rest());
  if (is_tekken) return;
  std::ofstream(path) << vocabulary;
  check_file(path, input.rest());
}

}  // namespace partita::internal::fuzz
