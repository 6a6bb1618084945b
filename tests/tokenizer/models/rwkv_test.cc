// RWKV's tokenizer on a vocabulary with recorded ids and on vocabularies built in memory.
#include "tests/tokenizer/support.h"

#include "tests/catch.h"

namespace partita::internal::test {
namespace {

std::unique_ptr<Tokenizer> rwkv(const TestVocabulary& vocab) { return must_open(file_of(vocab, "rwkv")); }

TestVocabulary rwkv_vocabulary(const nlohmann::json& recorded) {
  TestVocabulary vocab;
  for (const auto& token : recorded.at("tokens")) vocab.add(token, vocab.tokens.empty() ? kControl : kNormal);
  return vocab;
}

TEST_CASE("RWKV: ids equal those of the rwkv package") {
  const auto recorded = record("rwkv.json");
  check_ids(*rwkv(rwkv_vocabulary(recorded)), recorded.at("ids"), Specials::kAsText);
}

TEST_CASE("RWKV: decoding restores any bytes") {
  const auto tokenizer = rwkv(rwkv_vocabulary(record("rwkv.json")));
  std::mt19937_64 random(6);
  for (int i = 0; i < 4000; ++i) {
    const std::string text = i % 2 == 0 ? random_bytes(random, 40) : random_text(random, 20);
    REQUIRE(tokenizer->decode(encode(*tokenizer, text)) == text);
    REQUIRE(tokenizer->dropped_bytes(text) == 0);
  }
}

TEST_CASE("RWKV: the longest token at every place, and escapes in spellings") {
  TestVocabulary vocab;
  vocab.add("<s>", kControl).add("a").add("b").add("abc").add("bcd");
  vocab.add("\\n").add("\\n\\n").add("\\t").add("\\r").add("\\x00\\xff").add("\\\\n").add("\\'\\\"");
  vocab.add("[PAD12]", kUnused);
  const auto tokenizer = rwkv(vocab);
  CHECK(encode(*tokenizer, "abbcdabc") == Ids{1, 2, 4, 3});
  CHECK(encode(*tokenizer, "abcd") == Ids{3});  // "d" alone is no token
  CHECK(tokenizer->dropped_bytes("abcd") == 1);
  CHECK(encode(*tokenizer, "\n\n\n\t\r") == Ids{6, 5, 7, 8});
  CHECK(encode(*tokenizer, std::string("\0\xFF", 2)) == Ids{9});
  CHECK(encode(*tokenizer, "\\n'\"") == Ids{10, 11});
  CHECK(tokenizer->piece(9) == std::string("\0\xFF", 2));
  CHECK(tokenizer->spelling(9) == "\\x00\\xff");
  CHECK(encode(*tokenizer, "<s>a") == Ids{1});  // as text; "<", "s" and ">" are no tokens
  CHECK(encode(*tokenizer, "<s>a", Specials::kParse) == Ids{0, 1});
  CHECK(encode(*tokenizer, "[PAD12]").empty());
}

TEST_CASE("RWKV: bytes without a token become the unknown token if there is one") {
  TestVocabulary vocab;
  vocab.add("<unk>", kUnknown).add("a").add("<tool>", kUserDefined);
  GgufWriter file = file_of(vocab, "rwkv");
  file.add("tokenizer.ggml.unknown_token_id", std::uint32_t{0});
  const auto tokenizer = must_open(file);
  CHECK(encode(*tokenizer, "xa<tool>") == Ids{0, 1, 2});
  CHECK(tokenizer->dropped_bytes("xa<tool>") == 0);
  CHECK(rwkv(vocab)->dropped_bytes("xa<tool>y") == 2);
}

TEST_CASE("RWKV: spellings with incomplete escapes are refused") {
  for (const char* spelling : {"\\", "a\\", "\\x", "\\x4", "\\x4g", "\\xg4", "\\x+4", "\\x 4"}) {
    TestVocabulary vocab;
    vocab.add("a").add(spelling);
    const auto refused = open(file_of(vocab, "rwkv"));
    INFO(spelling);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kBadFile);
    CHECK(refused.error().message.starts_with("token 1 is spelled "));
    CHECK(refused.error().message.ends_with(", whose escape is incomplete"));
  }
}

TEST_CASE("RWKV: any spelling is refused or restores its bytes") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    TestVocabulary vocab;
    for (int n = 0; n < 6; ++n) {
      std::string spelling;
      while (random() % 6 != 0) spelling += "\\xnt0fg\xFF"[random() % 8];
      vocab.add(spelling, static_cast<std::int32_t>(random() % 7));
    }
    const auto tokenizer = open(file_of(vocab, "rwkv"));
    if (!tokenizer) continue;
    for (TokenId id = 0; id < 6; ++id) {
      const std::string text = (*tokenizer)->piece(id, true);
      if ((*tokenizer)->dropped_bytes(text) == 0)
        CHECK((*tokenizer)->decode(encode(**tokenizer, text), true) == text);
    }
  }
}

}  // namespace
}  // namespace partita::internal::test
