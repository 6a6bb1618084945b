// SentencePiece vocabularies in GGUF files: built in memory, and a trained one with recorded ids.
#include <algorithm>

#include "tests/tokenizer/support.h"

#include "tests/catch.h"

namespace partita::internal::test {
namespace {

const std::string kMark = "\xE2\x96\x81";

/// The recorded vocabulary, arranged like Gemma's.
TestVocabulary recorded_vocabulary(const nlohmann::json& recorded) {
  TestVocabulary vocab;
  for (const auto& row : recorded.at("vocabulary")) vocab.add(row[0], row[2], row[1]);
  return vocab;
}

std::unique_ptr<Tokenizer> with_settings(const TestVocabulary& vocab, bool add_space_prefix,
                                         bool remove_extra_whitespaces = false) {
  GgufWriter file = file_of(vocab, "llama");
  file.add("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(vocab.id("<bos>")));
  file.add("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(vocab.id("<eos>")));
  file.add("tokenizer.ggml.unknown_token_id", static_cast<std::uint32_t>(vocab.id("<unk>")));
  file.add("tokenizer.ggml.add_space_prefix", add_space_prefix);
  file.add("tokenizer.ggml.remove_extra_whitespaces", remove_extra_whitespaces);
  return must_open(file);
}

TEST_CASE("Pieces equal the recorded ids of SentencePiece") {
  const auto recorded = record("pieces.json");
  const TestVocabulary vocab = recorded_vocabulary(recorded);
  const auto plain = with_settings(vocab, false);
  check_ids(*plain, recorded.at("as_text"), Specials::kAsText);
  check_ids(*plain, recorded.at("parsed"), Specials::kParse);
  check_ids(*with_settings(vocab, true), recorded.at("with_space"), Specials::kAsText);
  check_ids(*with_settings(vocab, true, true), recorded.at("collapsed"), Specials::kAsText);
}

TEST_CASE("Unused pieces are split into their parts, as SentencePiece does") {
  const auto recorded = record("pieces.json");
  TestVocabulary vocab = recorded_vocabulary(recorded);
  for (std::size_t i = 0; i < vocab.tokens.size(); i += 5) {
    const auto characters = std::count_if(vocab.tokens[i].begin(), vocab.tokens[i].end(),
                                          [](char byte) { return (byte & 0xC0) != 0x80; });
    if (vocab.types[i] == kNormal && characters > 2) vocab.types[i] = kUnused;
  }
  check_ids(*with_settings(vocab, false), recorded.at("unused"), Specials::kAsText);
}

TEST_CASE("Without byte tokens a run of unknown characters is one unknown token") {
  const auto recorded = record("pieces.json");
  TestVocabulary vocab;
  for (const auto& row : recorded.at("vocabulary")) {
    if (row[2] != kByte) vocab.add(row[0], row[2], row[1]);
  }
  const auto tokenizer = with_settings(vocab, false);
  check_ids(*tokenizer, recorded.at("no_bytes"), Specials::kAsText);
  check_ids(*tokenizer, recorded.at("no_bytes_marks"), Specials::kAsText, marked_strings());
}

TEST_CASE("Decoding pieces restores every text") {
  const TestVocabulary vocab = recorded_vocabulary(record("pieces.json"));
  const auto plain = with_settings(vocab, false);
  const auto spaced = with_settings(vocab, true);
  std::mt19937_64 random(8);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = i % 4 == 0 ? random_bytes(random, 40) : random_text(random, 24);
    REQUIRE(plain->decode(encode(*plain, text)) == text);
    REQUIRE(spaced->decode(encode(*spaced, text)) == text);
    REQUIRE(plain->dropped_bytes(text) == 0);
  }
  for (const std::string& text : strings()) {
    CHECK(plain->decode(encode(*plain, text, Specials::kParse), true) == text);
    CHECK(spaced->decode(encode(*spaced, text, Specials::kParse), true) == text);
  }
  for (const std::string& text : marked_strings()) CHECK(plain->decode(encode(*plain, text)) == text);
}

TEST_CASE("Pieces merge the best score first, leftmost of equals") {
  TestVocabulary vocab;
  vocab.add("<unk>", kUnknown).add("<s>", kControl).add("</s>", kControl);
  add_byte_pieces(vocab);
  vocab.add("a", kNormal, -10).add("b", kNormal, -10).add("c", kNormal, -10);
  vocab.add("ab", kNormal, -2)
      .add("bc", kNormal, -1)
      .add("aa", kNormal, -0.0f)
      .add(kMark + "a", kNormal, 0.0f);
  GgufWriter file = file_of(vocab, "llama");
  file.add("tokenizer.ggml.add_space_prefix", false);
  const auto tokenizer = must_open(file);
  const auto id = [&vocab](const std::string& token) { return vocab.id(token); };
  CHECK(encode(*tokenizer, "abc") == Ids{id("a"), id("bc")});
  CHECK(encode(*tokenizer, "aaa") == Ids{id("aa"), id("a")});
  CHECK(encode(*tokenizer, " aa") == Ids{id(kMark + "a"), id("a")});  // -0 and 0 are equal: leftmost
  CHECK(encode(*tokenizer, "\n") == Ids{id("<0x0A>")});
  CHECK(encode(*tokenizer, kMark) == Ids{id("<0xE2>"), id("<0x96>"), id("<0x81>")});
}

TEST_CASE("Scores of 0 and -0 are equal, negative ones merge after them") {
  const auto ids = [](float ab, float bc) {
    TestVocabulary vocab;
    vocab.add("<unk>", kUnknown).add("a").add("b").add("c").add("ab", kNormal, ab).add("bc", kNormal, bc);
    GgufWriter file = file_of(vocab, "llama");
    file.add("tokenizer.ggml.add_space_prefix", false);
    return encode(*must_open(file), "abc");
  };
  CHECK(ids(-0.0F, 0.0F) == Ids{4, 3});  // the leftmost of equals
  CHECK(ids(0.0F, -0.0F) == Ids{4, 3});
  CHECK(ids(-1, 0) == Ids{1, 5});
  CHECK(ids(-2, -1) == Ids{1, 5});
  CHECK(ids(-1, -2) == Ids{4, 3});
}

TEST_CASE("A control token keeps the leading space of its spelling") {
  TestVocabulary vocab;
  vocab.add("<unk>", kUnknown)
      .add(" <s>", kControl)
      .add(
          "\xE2\x96\x81"
          "a");
  GgufWriter file = file_of(vocab, "llama");
  file.add("tokenizer.ggml.unknown_token_id", 0u);
  const auto tokenizer = must_open(file);
  CHECK(tokenizer->decode(Ids{1, 2, 1, 1}, true) == " <s>a <s> <s>");
  CHECK(tokenizer->decode(Ids{1, 2, 2}) == "a a");
}

TEST_CASE("The added space is at the start of a text and after control tokens, and is not decoded") {
  TestVocabulary vocab;
  vocab.add("<unk>", kUnknown).add("<s>", kControl).add("</s>", kControl).add("<tag>", kUserDefined);
  add_byte_pieces(vocab);
  vocab.add(kMark, kNormal, -9).add("a", kNormal, -9).add(kMark + "a", kNormal, -1);
  const auto tokenizer = must_open(file_of(vocab, "llama"));  // add_space_prefix is missing: it is true
  const TokenId bos = 1, eos = 2, tag = 3, space = vocab.id(kMark), a = vocab.id("a"), space_a = a + 1;
  CHECK(encode(*tokenizer, "a") == Ids{space_a});
  CHECK(encode(*tokenizer, " a") == Ids{space, space_a});
  CHECK(encode(*tokenizer, "a</s>a", Specials::kParse) == Ids{space_a, eos, space_a});
  CHECK(encode(*tokenizer, "<tag>a") == Ids{space, tag, a});
  CHECK(prompt(*tokenizer, "a") == Ids{bos, space_a});
  CHECK(encode(*tokenizer, "").empty());

  Ids ids{space_a};
  REQUIRE(tokenizer->encode("a", Specials::kAsText, ids));
  CHECK(ids == Ids{space_a, a});  // continues the text

  CHECK(tokenizer->decode(Ids{bos, space_a, space_a}) == "a a");
  CHECK(tokenizer->decode(Ids{space_a, eos, space_a}, true) == "a</s>a");
  CHECK(tokenizer->decode(Ids{space, space_a}) == " a");
  CHECK(tokenizer->piece(space_a) == " a");
}

TEST_CASE("A character that cannot be encoded is an error with its bytes") {
  TestVocabulary vocab;
  vocab.add("a").add("b");
  const auto tokenizer = must_open(file_of(vocab, "llama"));
  Ids ids{1};
  const auto done = tokenizer->encode("a\xE2\x82\xAC", Specials::kAsText, ids);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ErrorCode::kUnsupported);
  CHECK(done.error().message.find("E2 82 AC") != std::string::npos);
  CHECK(ids == Ids{1});
}

TEST_CASE("In old files without token types, byte tokens are recognized by their spelling") {
  TestVocabulary vocab;
  vocab.add("<unk>").add("<s>").add("</s>");
  add_byte_pieces(vocab);
  vocab.add("a");
  GgufWriter file;
  file.add("tokenizer.ggml.model", "llama").add("tokenizer.ggml.tokens", vocab.tokens);
  file.add("tokenizer.ggml.scores", vocab.scores).add("tokenizer.ggml.add_space_prefix", false);
  const auto tokenizer = must_open(file);
  CHECK(tokenizer->kind(vocab.id("<0x0A>")) == TokenKind::kByte);
  CHECK(encode(*tokenizer, "a\n") == Ids{vocab.id("a"), vocab.id("<0x0A>")});
}

TEST_CASE("Decoding restores a megabyte of pieces", "[long][slow]") {
  const auto tokenizer = with_settings(recorded_vocabulary(record("pieces.json")), false);
  for (const std::string unit : {"a", "e", " ", "\n", "\t ", "the ", "\xE2\x82\xAC", "\xFF", "<b>"}) {
    std::string text;
    while (text.size() < (1 << 20)) text += unit;
    INFO(unit);
    CHECK(tokenizer->decode(encode(*tokenizer, text)) == text);
  }
}

}  // namespace
}  // namespace partita::internal::test
