#include "support.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>

#include "tests/catch.h"
#include "tokenizer/models/byte_alphabet.h"
#include "tokenizer/open.h"

namespace partita::internal::test {

Result<std::unique_ptr<Tokenizer>> open(const GgufWriter& file) {
  const auto bytes = file.bytes();
  if (!bytes) return bytes.error();
  const auto parsed = Gguf::parse(*bytes, "in memory");
  if (!parsed) return parsed.error();
  return open_tokenizer(*parsed);
}

std::unique_ptr<Tokenizer> must_open(const GgufWriter& file) {
  auto tokenizer = open(file);
  if (!tokenizer) FAIL(tokenizer.error().message);
  return std::move(*tokenizer);
}

TestVocabulary& TestVocabulary::add(std::string token, std::int32_t type, float score) {
  tokens.push_back(std::move(token));
  types.push_back(type);
  scores.push_back(score);
  return *this;
}

TokenId TestVocabulary::id(std::string_view token) const {
  const auto found = std::find(tokens.begin(), tokens.end(), token);
  return found == tokens.end() ? -1 : static_cast<TokenId>(found - tokens.begin());
}

TestVocabulary byte_vocabulary() {
  TestVocabulary vocab;
  for (int byte = 0; byte < 256; ++byte) vocab.add(byte_spelling(static_cast<std::uint8_t>(byte)));
  return vocab;
}

void add_byte_pieces(TestVocabulary& vocab) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (std::size_t byte = 0; byte < 256; ++byte) {
    vocab.add(std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + ">", kByte);
  }
}

GgufWriter file_of(const TestVocabulary& vocab, const std::string& model,
                   const std::optional<std::vector<std::string>>& merges) {
  GgufWriter file;
  file.add("tokenizer.ggml.model", model);
  file.add("tokenizer.ggml.tokens", vocab.tokens);
  file.add("tokenizer.ggml.token_type", vocab.types);
  if (merges) {
    file.add("tokenizer.ggml.merges", *merges);
  } else {
    file.add("tokenizer.ggml.scores", vocab.scores);
  }
  return file;
}

nlohmann::json record(const std::string& name) {
  std::ifstream file(std::string(PARTITA_TEST_DATA) + "/tokenizer/" + name);
  auto parsed = nlohmann::json::parse(file, nullptr, false);
  if (parsed.is_discarded()) FAIL("cannot read the record " << name);
  return parsed;
}

const std::vector<std::string>& strings() {
  static const auto all = record("strings.json").at("strings").get<std::vector<std::string>>();
  return all;
}

std::vector<std::string> marked_strings() {
  return record("strings.json").at("marks").get<std::vector<std::string>>();
}

void check_ids(const Tokenizer& tokenizer, const nlohmann::json& recorded, Specials specials) {
  check_ids(tokenizer, recorded, specials, strings());
}

void check_ids(const Tokenizer& tokenizer, const nlohmann::json& recorded, Specials specials,
               const std::vector<std::string>& texts) {
  REQUIRE(recorded.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    INFO("string " << i << ": " << texts[i].substr(0, 80));
    CHECK(encode(tokenizer, texts[i], specials) == recorded[i].get<Ids>());
  }
}

Ids encode(const Tokenizer& tokenizer, std::string_view text, Specials specials) {
  Ids ids;
  const auto done = tokenizer.encode(text, specials, ids);
  if (!done) FAIL(done.error().message);
  return ids;
}

Ids prompt(const Tokenizer& tokenizer, std::string_view text, Specials specials) {
  auto ids = tokenizer.encode_prompt(text, specials);
  if (!ids) FAIL(ids.error().message);
  return std::move(*ids);
}

namespace {

void append_utf8(char32_t code, std::string& out) {
  const auto add = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    add(0xE0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3F));
  } else {
    add(0xF0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3F));
    add(0x80 | (code >> 6 & 0x3F));
  }
  add(0x80 | (code & 0x3F));
}

}  // namespace

std::string random_text(std::mt19937_64& random, std::size_t characters) {
  struct Range {
    char32_t first, last;
  };
  static constexpr std::array<Range, 20> kRanges = {
      {{' ', '~'},       {' ', '~'},       {' ', ' '},         {'\t', '\r'},       {'a', 'z'},
       {'0', '9'},       {0, 0x7F},        {0x80, 0x24F},      {0x300, 0x36F},     {0x370, 0x5FF},
       {0x600, 0x6FF},   {0x900, 0xDFF},   {0x2000, 0x206F},   {0x2580, 0x2582},   {0x3000, 0x9FFF},
       {0xAC00, 0xD7FF}, {0xE000, 0xFFFF}, {0x1F300, 0x1FAFF}, {0x10000, 0x3FFFF}, {0, 0x10FFFF}}};
  const auto below = [&random](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  std::string text;
  const std::size_t count = below(characters + 1);
  for (std::size_t i = 0; i < count;) {
    const Range& range = kRanges[below(kRanges.size())];
    for (std::size_t run = 1 + below(8); run > 0 && i < count; --run, ++i) {
      const auto code = static_cast<char32_t>(range.first + below(range.last - range.first + 1u));
      append_utf8(code >= 0xD800 && code <= 0xDFFF ? U' ' : code, text);
    }
  }
  return text;
}

std::string random_bytes(std::mt19937_64& random, std::size_t bytes) {
  std::string text(random() % (bytes + 1), '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

std::string model_path(const std::string& name) {
  const char* const directory = std::getenv("PARTITA_TEST_MODELS");
  return std::string(directory != nullptr ? directory : PARTITA_MODELS) + "/" + name;
}

}  // namespace partita::internal::test
