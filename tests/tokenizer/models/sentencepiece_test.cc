// SentencePiece .model files.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/catch.h"
#include "tests/tokenizer/support.h"
#include "tokenizer/models/sentencepiece_charsmap.h"
#include "tokenizer/models/sentencepiece_model.h"
#include "tokenizer/models/sentencepiece_proto.h"

namespace partita::internal::test {
namespace {

std::string data_path(const std::string& name) {
  return std::string(PARTITA_TEST_DATA) + "/tokenizer/" + name;
}

std::unique_ptr<Tokenizer> must_open_model(const std::string& name) {
  auto tokenizer = open_sentencepiece(data_path(name));
  if (!tokenizer) FAIL(tokenizer.error().message);
  return std::move(*tokenizer);
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("Model files equal the recorded ids and texts") {
  for (const std::string name : {"tiny_bpe", "tiny_unigram"}) {
    INFO(name);
    const auto recorded = record(name + ".json");
    const auto tokenizer = must_open_model(name + ".model");
    for (std::size_t i = 0; i < strings().size(); ++i) {
      INFO(strings()[i]);
      const Ids ids = encode(*tokenizer, strings()[i]);
      // null: another segmentation has the same score, and versions of the library choose differently.
      const auto& expected = recorded.at("as_text")[i];
      if (!expected.is_null()) CHECK(ids == expected.get<Ids>());
      CHECK(tokenizer->decode(ids) == recorded.at("decoded")[i]);
    }
    CHECK(tokenizer->specials().bos == recorded.at("bos").get<TokenId>());
    CHECK(tokenizer->specials().eos == recorded.at("eos").get<TokenId>());
    CHECK(tokenizer->specials().unknown == recorded.at("unknown").get<TokenId>());
    CHECK(tokenizer->specials().add_bos);
    CHECK(tokenizer->ends_generation(recorded.at("eos").get<TokenId>()));
  }
}

TEST_CASE("Model files have kinds of pieces and parse control pieces on request") {
  const auto tokenizer = must_open_model("tiny_bpe.model");
  TokenId turn = -1, tag = -1;
  for (TokenId id = 0; tokenizer->contains(id); ++id) {
    if (tokenizer->spelling(id) == "<turn>") turn = id;
    if (tokenizer->spelling(id) == "<tag>") tag = id;
  }
  REQUIRE(turn >= 0);
  REQUIRE(tag >= 0);
  CHECK(tokenizer->kind(turn) == TokenKind::kControl);
  CHECK(tokenizer->kind(tag) == TokenKind::kUserDefined);
  const TokenId bos = *tokenizer->specials().bos;
  CHECK(prompt(*tokenizer, "<turn>")[1] == turn);
  CHECK(prompt(*tokenizer, "<turn>", Specials::kAsText)[1] != turn);
  CHECK(prompt(*tokenizer, "<turn>")[0] == bos);
  CHECK(tokenizer->decode(encode(*tokenizer, "a<turn>b<tag>", Specials::kParse), true) == "a<turn>b<tag>");
}

TEST_CASE("Text that continues gets no second space") {
  for (const std::string name : {"tiny_bpe.model", "tiny_unigram.model"}) {
    const auto tokenizer = must_open_model(name);
    Ids ids = encode(*tokenizer, "one");
    REQUIRE(tokenizer->encode("two", Specials::kAsText, ids));
    CHECK(tokenizer->decode(ids) == "onetwo");
  }
}

TEST_CASE("Model files restore texts and invalid bytes") {
  std::mt19937_64 random(4);
  for (const std::string name : {"tiny_bpe.model", "tiny_unigram.model"}) {
    const auto tokenizer = must_open_model(name);
    for (int i = 0; i < 2000; ++i) {
      std::string text = i % 2 == 0 ? random_bytes(random, 30) : random_text(random, 20);
      // The library reads U+2581 as a space.
      for (std::size_t at; (at = text.find("\xE2\x96\x81")) != std::string::npos;) text.replace(at, 3, "x");
      REQUIRE(tokenizer->decode(encode(*tokenizer, text)) == text);
    }
  }
}

TEST_CASE("Files that are not models are refused") {
  const auto missing = open_sentencepiece(data_path("nothing.model"));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::kNotFound);
  const auto directory = open_sentencepiece(data_path(""));
  REQUIRE_FALSE(directory);
  CHECK(directory.error().code == ErrorCode::kIo);
  const auto text = open_sentencepiece(data_path("strings.json"));
  REQUIRE_FALSE(text);
  CHECK(text.error().code == ErrorCode::kBadFile);
  CHECK(text.error().message.find("strings.json") != std::string::npos);
}

TEST_CASE("A model file cut anywhere is refused or loads") {
  const std::string model = read(data_path("tiny_bpe.model"));
  REQUIRE(model.size() > 1000);
  const auto path =
      std::filesystem::temp_directory_path() / ("partita_cut_" + std::to_string(getpid()) + ".model");
  for (std::size_t size = 0; size < model.size(); size += 251) {
    std::ofstream(path, std::ios::binary).write(model.data(), static_cast<std::streamsize>(size));
    const auto tokenizer = open_sentencepiece(path.string());
    if (tokenizer) {
      Ids ids;
      (void)(*tokenizer)->encode("some text", Specials::kParse, ids);
    } else {
      CHECK_FALSE(tokenizer.error().message.empty());
    }
  }
  std::filesystem::remove(path);
}

TEST_CASE("A model file with an empty piece or a zero byte in a piece is refused") {
  using namespace std::string_literals;
  const auto path =
      std::filesystem::temp_directory_path() / ("partita_piece_" + std::to_string(getpid()) + ".model");
  for (const std::string& piece : {"\x0A\x02\x0A\x00"s,
                                   "\x0A\x05\x0A\x03"
                                   "a\x00"
                                   "b"s,
                                   "\x0A\x02\x18\x01"s}) {
    std::ofstream(path, std::ios::binary) << read(data_path("tiny_bpe.model")) << piece;
    const auto tokenizer = open_sentencepiece(path.string());
    REQUIRE_FALSE(tokenizer);
    CHECK(tokenizer.error().code == ErrorCode::kBadFile);
    CHECK(tokenizer.error().message.find("is empty or contains a zero byte") != std::string::npos);
  }
  std::filesystem::remove(path);
}

TEST_CASE("The protobuf reader refuses lengths beyond the end, unterminated varints and unknown kinds") {
  using namespace std::string_literals;
  CHECK_FALSE(parse_sentencepiece(""));
  CHECK_FALSE(
      parse_sentencepiece("\x0A\x05"
                          "abc"));
  CHECK_FALSE(parse_sentencepiece("\x0A"));
  CHECK_FALSE(parse_sentencepiece(std::string(20, '\xFF')));
  CHECK_FALSE(parse_sentencepiece("\x0A\x02\x18\x09"s));  // a piece of kind 9
  const auto piece = parse_sentencepiece(
      "\x0A\x05\x0A\x01"
      "a\x18\x04\x1A\x02\x18\x00\x12\x03\xC0\x01\x01"s);
  REQUIRE(piece);
  CHECK(piece->kinds == std::vector<TokenKind>{TokenKind::kUserDefined});
  CHECK_FALSE(piece->add_dummy_prefix);
  CHECK(piece->whitespace_as_suffix);
}

/// A length-delimited field of a message.
std::string field(int number, const std::string& bytes) {
  std::string length;
  for (std::size_t rest = bytes.size(); rest > 0 || length.empty(); rest >>= 7)
    length += static_cast<char>((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0));
  return static_cast<char>(number << 3 | 2) + length + bytes;
}

/// A table of 512 units, of which those that are not named lead nowhere, and the texts that it replaces by.
std::string charsmap(const std::map<std::uint32_t, std::uint32_t>& named, const std::string& texts) {
  std::vector<std::uint32_t> units(512, 1U << 31);
  for (const auto& [i, unit] : named) units[i] = unit;
  std::string table(sizeof(std::uint32_t) * (1 + units.size()), '\0');
  const std::uint32_t bytes = static_cast<std::uint32_t>(table.size() - sizeof(std::uint32_t));
  std::memcpy(table.data(), &bytes, sizeof bytes);
  std::memcpy(table.data() + sizeof bytes, units.data(), bytes);
  return table + texts;
}

/// Unit i leads by `label` to node `next`, which has a value if `has_value`.
std::pair<std::uint32_t, std::uint32_t> leads(std::uint32_t i, char label, std::uint32_t next,
                                              bool has_value) {
  return {i, (i ^ next) << 10 | (has_value ? 1U << 8 : 0) | static_cast<std::uint8_t>(label)};
}

/// A table that replaces "a" by `texts`, up to its first NUL: from unit 0 to 256 ^ 'a', whose value is in
/// unit 10.
std::string charsmap(std::uint32_t value, std::uint32_t offset, const std::string& texts) {
  return charsmap({{0, offset << 10}, leads(256 ^ 'a', 'a', 10, true), {10, 1U << 31 | value}}, texts);
}

std::string model_with(const std::string& table) {
  std::string model;
  const std::pair<std::string, char> pieces[] = {{"<unk>", 2}, {"\xE2\x96\x81", 1}, {"a", 1}, {"b", 1}};
  for (const auto& [piece, kind] : pieces) model += field(1, field(1, piece) + '\x18' + kind);
  return model + field(3, field(2, table));
}

TEST_CASE("A charsmap is valid only if look-ups stay within it") {
  using namespace std::string_literals;
  const std::string good = charsmap(0, 256, "b\0"s);
  CHECK(is_valid_charsmap(""));
  CHECK(is_valid_charsmap(good));
  const std::string bad[] = {
      "\1"s, good.substr(0, 900), charsmap(2, 256, "b\0"s),  // a value beyond the texts
      charsmap(0, 512, "b\0"s),                              // a unit beyond the last
      charsmap(0, 0x1FFFFF, "b\0"s),                         // far beyond
      charsmap(0, 256, "b"),                                 // a text without a terminating NUL
      charsmap(0, 256, ""), charsmap(0, 256, std::string(513, 'b') + '\0'),  // too long a text
      charsmap({{0, 1U << 31 | 0x1FFFFF << 10}}, "b\0"s),  // a first unit with a value's bit
      // "a", "aa", "aaa" ...: more matches than the library has room for
      charsmap({{0, 256U << 10}, leads(256 ^ 'a', 'a', 256, true), {256, 1U << 31}}, "b\0"s)};
  for (const std::string& table : bad) CHECK_FALSE(is_valid_charsmap(table));

  const auto path =
      std::filesystem::temp_directory_path() / ("partita_table_" + std::to_string(getpid()) + ".model");
  const auto open = [&](const std::string& table) {
    const std::string model = model_with(table);
    std::ofstream(path, std::ios::binary).write(model.data(), static_cast<std::streamsize>(model.size()));
    return open_sentencepiece(path.string());
  };
  const auto replaced = open(good);
  REQUIRE(replaced);
  CHECK(encode(**replaced, "a") == Ids{1, 3});
  for (const std::string& table : bad) {
    const auto refused = open(table);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kBadFile);
  }
  std::filesystem::remove(path);
}

TEST_CASE("As many user-defined pieces begin one another as the library has room for") {
  const auto model = [](std::size_t pieces) {
    std::string bytes;
    for (std::size_t n = 1; n <= pieces; ++n) bytes += field(1, field(1, std::string(n, 'a')) + "\x18\x04");
    return bytes + field(1, field(1, "b") + "\x18\x04");
  };
  CHECK(parse_sentencepiece(model(64)));
  const auto refused = parse_sentencepiece(model(65));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("more than 64 user-defined pieces") != std::string::npos);
}

}  // namespace
}  // namespace partita::internal::test
