// The streaming detokenizer, and UTF-8 decoding.
#include "tokenizer/detokenizer.h"
#include "support.h"
#include "tests/catch.h"
#include "tokenizer/utf8.h"

namespace partita::internal::test {
namespace {

const std::string kReplacement = "\xEF\xBF\xBD";

/// A token for every byte: id = byte.
std::unique_ptr<Tokenizer> bytes_tokenizer() {
  return must_open(file_of(byte_vocabulary(), "gpt2", std::vector<std::string>{}));
}

std::vector<std::string> stream(const Tokenizer& tokenizer, const Ids& ids, bool show_control = false) {
  Detokenizer detokenizer(tokenizer, show_control);
  std::vector<std::string> parts;
  for (const TokenId id : ids) parts.push_back(detokenizer.push(id));
  parts.push_back(detokenizer.finish());
  return parts;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += part;
  return text;
}

std::string stream_bytes(const Tokenizer& tokenizer, const std::string& bytes) {
  Ids ids;
  for (const char byte : bytes) ids.push_back(static_cast<std::uint8_t>(byte));
  return joined(stream(tokenizer, ids));
}

TEST_CASE("The stream buffers bytes until a character is complete") {
  const auto tokenizer = bytes_tokenizer();
  CHECK(stream(*tokenizer, {'a', 0xE2, 0x82, 0xAC, 'b'}) ==
        std::vector<std::string>{"a", "", "", "\xE2\x82\xAC", "b", ""});
  CHECK(stream(*tokenizer, {0xF0, 0x9F, 0x98}) == std::vector<std::string>{"", "", "", kReplacement});
}

TEST_CASE("Each maximal subpart of invalid bytes becomes one U+FFFD") {
  const auto tokenizer = bytes_tokenizer();
  // The examples of Unicode 15, section 3.9, tables 3-8 to 3-11.
  const auto marks = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += kReplacement;
    return text;
  };
  CHECK(stream_bytes(*tokenizer, "\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") == marks(8) + "A");
  CHECK(stream_bytes(*tokenizer, "\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41") == marks(8) + "A");
  CHECK(stream_bytes(*tokenizer, "\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42") == marks(5) + "A" + marks(2) + "B");
  CHECK(stream_bytes(*tokenizer, "\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41") == marks(4) + "A");
}

TEST_CASE("Streaming a valid text equals decoding it, however it is split into tokens") {
  TestVocabulary vocab = byte_vocabulary();
  vocab.add("\xC3\xA2\xC4\xA4").add("\xC3\xB0\xC5\x81\xC4\xBA");  // E2 82 and F0 9F 98 in the alphabet
  vocab.add("<|end|>", kControl);
  const auto tokenizer = must_open(file_of(vocab, "gpt2", std::vector<std::string>{}));
  std::mt19937_64 random(6);
  for (int i = 0; i < 2000; ++i) {
    Ids ids = encode(*tokenizer, random_text(random, 20));
    if (i % 3 == 0) ids.push_back(vocab.id("<|end|>"));
    REQUIRE(joined(stream(*tokenizer, ids)) == tokenizer->decode(ids));
    REQUIRE(joined(stream(*tokenizer, ids, true)) == tokenizer->decode(ids, true));
  }
  CHECK(joined(stream(*tokenizer, {256, 0xAC, 257, 0x80})) == "\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST_CASE("Every split of a text into two parts streams to the same text") {
  const auto recorded = record("pieces.json");
  TestVocabulary vocab;
  for (const auto& row : recorded.at("vocabulary")) vocab.add(row[0], row[2], row[1]);
  GgufWriter file = file_of(vocab, "llama");
  file.add("tokenizer.ggml.unknown_token_id", 3u);
  const auto tokenizer = must_open(file);  // adds a space before texts
  for (const std::string& text : strings()) {
    if (text.size() > 200) continue;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      Ids ids = encode(*tokenizer, text.substr(0, cut));
      REQUIRE(tokenizer->encode(text.substr(cut), Specials::kAsText, ids));
      REQUIRE(joined(stream(*tokenizer, ids)) == text);
      REQUIRE(tokenizer->decode(ids) == text);
    }
  }
}

TEST_CASE("A detokenizer starts over after finish") {
  const auto tokenizer = bytes_tokenizer();
  Detokenizer detokenizer(*tokenizer);
  CHECK(detokenizer.push(0xE2).empty());
  CHECK(detokenizer.finish() == kReplacement);
  CHECK(detokenizer.push('a') == "a");
  CHECK(detokenizer.finish().empty());
}

/// A vocabulary with add_space_prefix: a control token "<s>", then normal tokens.
std::unique_ptr<Tokenizer> spaced_tokenizer() {
  TestVocabulary vocab;
  vocab.add("<unk>", kUnknown)
      .add("<s>", kControl)
      .add(
          "\xE2\x96\x81"
          "a")
      .add("\xE2\x96\x81")
      .add("b");
  add_byte_pieces(vocab);
  GgufWriter file = file_of(vocab, "llama");
  file.add("tokenizer.ggml.unknown_token_id", 0u);
  return must_open(file);
}

TEST_CASE("With add_space_prefix, streaming equals decoding across control tokens too") {
  const auto tokenizer = spaced_tokenizer();
  constexpr TokenId kStart = 1, kWord = 2, kSpace = 3, kRest = 4;
  CHECK(joined(stream(*tokenizer, {kWord, kStart, kWord})) == "aa");
  CHECK(joined(stream(*tokenizer, {kWord, kStart, kWord}, true)) == "a<s>a");
  CHECK(joined(stream(*tokenizer, {kStart, kWord, kWord})) == "a a");
  // Every sequence of up to five of these.
  for (std::size_t length = 0, count = 1; length <= 5; ++length, count *= 4) {
    for (std::size_t n = 0; n < count; ++n) {
      Ids ids;
      for (std::size_t i = 0, rest = n; i < length; ++i, rest /= 4)
        ids.push_back(kStart + static_cast<TokenId>(rest % 4));
      REQUIRE(joined(stream(*tokenizer, ids)) == tokenizer->decode(ids));
      REQUIRE(joined(stream(*tokenizer, ids, true)) == tokenizer->decode(ids, true));
    }
  }
  CHECK(joined(stream(*tokenizer, {kSpace, kRest})) == "b");
}

TEST_CASE("After finish the first token begins a text again") {
  const auto tokenizer = spaced_tokenizer();
  constexpr TokenId kWord = 2, kFirstByte = 5;
  Detokenizer detokenizer(*tokenizer);
  for (int text = 0; text < 3; ++text) {
    CHECK(detokenizer.push(kWord) == "a");
    CHECK(detokenizer.push(kWord) == " a");
    CHECK(detokenizer.push(kFirstByte + 0xE2).empty());
    CHECK(detokenizer.finish() == kReplacement);
    CHECK(detokenizer.finish().empty());
  }
}

TEST_CASE("Units of UTF-8") {
  using Kind = Utf8Unit::Kind;
  const auto is = [](std::string_view text, Kind kind, int length) {
    const Utf8Unit unit = first_unit(text);
    return unit.kind == kind && unit.length == length;
  };
  CHECK(is("a", Kind::kCharacter, 1));
  CHECK(is("\xC2\x80", Kind::kCharacter, 2));
  CHECK(is("\xED\x9F\xBF", Kind::kCharacter, 3));
  CHECK(is("\xF4\x8F\xBF\xBF", Kind::kCharacter, 4));
  CHECK(is("\xC1\x80", Kind::kInvalid, 1));
  CHECK(is("\xF5", Kind::kInvalid, 1));
  CHECK(is("\xE0\x9F", Kind::kInvalid, 1));
  CHECK(is("\xF0\x9F\x98x", Kind::kInvalid, 3));
  CHECK(is("\xF0\x9F\x98", Kind::kTruncated, 3));
  CHECK(valid_prefix("ab\xE2\x82\xAC\xE2\x82") == 5);
  CHECK(invalid_prefix("\xE2\x82\xFF"
                       "a") == 3);
}

}  // namespace
}  // namespace partita::internal::test
