// Inconsistent vocabularies are refused with an error message; unusual ones work.
#include <cmath>
#include <limits>

#include "support.h"
#include "tests/catch.h"

namespace partita::internal::test {
namespace {

void check_refused(const GgufWriter& file, ErrorCode code, std::initializer_list<const char*> parts) {
  const auto tokenizer = open(file);
  REQUIRE_FALSE(tokenizer);
  CHECK(tokenizer.error().code == code);
  for (const char* part : parts) {
    INFO(tokenizer.error().message << " / " << part);
    CHECK(tokenizer.error().message.find(part) != std::string::npos);
  }
}

TestVocabulary two_tokens() { return TestVocabulary().add("a").add("b"); }

TEST_CASE("Unknown kinds of vocabulary are named") {
  GgufWriter none;
  none.add("general.architecture", "llama");
  check_refused(none, ErrorCode::kNotFound, {"tokenizer.ggml.model"});
  check_refused(file_of(two_tokens(), "plamo2"), ErrorCode::kUnsupported,
                {"plamo2", "bert", "gpt2", "llama", "gemma4", "rwkv"});
  GgufWriter pre = file_of(two_tokens(), "gpt2", std::vector<std::string>{});
  pre.add("tokenizer.ggml.pre", "unheard-of");
  check_refused(pre, ErrorCode::kUnsupported, {"tokenizer.ggml.pre", "unheard-of"});
}

TEST_CASE("Arrays must have one entry per token") {
  TestVocabulary few_types = two_tokens();
  few_types.types.pop_back();
  check_refused(file_of(few_types, "llama"), ErrorCode::kBadFile, {"token_type", "1", "2"});
  TestVocabulary many_scores = two_tokens();
  many_scores.scores.push_back(0);
  check_refused(file_of(many_scores, "llama"), ErrorCode::kBadFile, {"scores", "3", "2"});
  check_refused(file_of(TestVocabulary(), "llama"), ErrorCode::kBadFile, {"tokens", "0"});
  GgufWriter no_scores;
  no_scores.add("tokenizer.ggml.model", "llama").add("tokenizer.ggml.tokens", two_tokens().tokens);
  check_refused(no_scores, ErrorCode::kNotFound, {"scores"});
  GgufWriter no_merges;
  no_merges.add("tokenizer.ggml.model", "gpt2").add("tokenizer.ggml.tokens", two_tokens().tokens);
  check_refused(no_merges, ErrorCode::kNotFound, {"merges"});
}

TEST_CASE("Arrays must have entries of the right type") {
  GgufWriter numbers;
  numbers.add("tokenizer.ggml.model", "gpt2").add("tokenizer.ggml.tokens", std::vector<float>{1, 2});
  check_refused(numbers, ErrorCode::kBadFile, {"tokens", "strings"});
  GgufWriter merges;
  merges.add("tokenizer.ggml.model", "gpt2").add("tokenizer.ggml.tokens", two_tokens().tokens);
  merges.add("tokenizer.ggml.merges", std::vector<std::int32_t>{1});
  check_refused(merges, ErrorCode::kBadFile, {"merges", "strings"});
  TestVocabulary strange = two_tokens();
  strange.types[1] = 77;
  check_refused(file_of(strange, "llama"), ErrorCode::kBadFile, {"token_type", "1"});
  strange.types[1] = -1;
  check_refused(file_of(strange, "llama"), ErrorCode::kBadFile, {"token_type", "1"});
  TestVocabulary infinite = two_tokens();
  infinite.scores[1] = std::numeric_limits<float>::quiet_NaN();
  check_refused(file_of(infinite, "llama"), ErrorCode::kBadFile, {"scores", "1"});
}

TEST_CASE("Special ids must be in the vocabulary") {
  for (const char* key :
       {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.unknown_token_id",
        "tokenizer.ggml.padding_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    GgufWriter file = file_of(two_tokens(), "llama");
    file.add(key, 2u);
    check_refused(file, ErrorCode::kBadFile, {key, "2"});
    GgufWriter negative = file_of(two_tokens(), "llama");
    negative.add(key, std::int32_t{-1});
    check_refused(negative, ErrorCode::kBadFile, {key});
  }
}

TEST_CASE("A merge must be made of tokens") {
  const auto with = [](const std::string& merge) {
    return file_of(TestVocabulary().add("a").add("b").add("ab"), "gpt2",
                   std::vector<std::string>{"a b", merge});
  };
  check_refused(with("a c"), ErrorCode::kBadFile, {"merges[1]", "\"a c\"", "\"c\""});
  check_refused(with("c a"), ErrorCode::kBadFile, {"merges[1]", "\"c\""});
  check_refused(with("b a"), ErrorCode::kBadFile, {"merges[1]", "\"ba\""});
  check_refused(with("ab"), ErrorCode::kBadFile, {"merges[1]", "\"ab\""});
  check_refused(with(""), ErrorCode::kBadFile, {"merges[1]"});
  check_refused(with(" "), ErrorCode::kBadFile, {"merges[1]"});
  check_refused(with("a "), ErrorCode::kBadFile, {"merges[1]"});
  check_refused(with("a b ab"), ErrorCode::kBadFile, {"merges[1]"});
}

TEST_CASE("Token length is limited, byte tokens must spell a byte") {
  check_refused(file_of(TestVocabulary().add(std::string(5000, 'x')), "llama"), ErrorCode::kBadFile,
                {"5000", "4096"});
  for (const char* spelling : {"<0x0>", "<0xGG>", "<0x-1>", "a", "", "<0x0A"}) {
    check_refused(file_of(TestVocabulary().add(spelling, kByte), "llama"), ErrorCode::kBadFile, {"byte"});
  }
}

TEST_CASE("Unusual vocabularies work") {
  std::mt19937_64 random(9);
  TestVocabulary vocab;
  vocab.add("", kNormal).add("", kUserDefined).add("", kControl).add("a").add("a").add("a", kControl);
  vocab.add("a", kUserDefined)
      .add("\xFF\xFE", kNormal)
      .add("\xE2\x96", kUserDefined)
      .add(" ")
      .add("\xE2\x96\x81");
  vocab.add("<unk>", kUnknown);
  for (const bool bytes : {false, true}) {
    if (bytes) add_byte_pieces(vocab);
    GgufWriter pieces = file_of(vocab, "llama");
    pieces.add("tokenizer.ggml.unknown_token_id", 11u);
    std::vector<std::unique_ptr<Tokenizer>> tokenizers;
    tokenizers.push_back(must_open(pieces));
    tokenizers.push_back(must_open(file_of(vocab, "gpt2", std::vector<std::string>{})));
    for (const auto& tokenizer : tokenizers) {
      for (int i = 0; i < 500; ++i) {
        const std::string text = i % 2 == 0 ? random_bytes(random, 20) : "a" + random_text(random, 8) + "a";
        for (const Specials specials : {Specials::kParse, Specials::kAsText}) {
          for (const TokenId id : encode(*tokenizer, text, specials)) REQUIRE(tokenizer->contains(id));
        }
      }
    }
  }
}

}  // namespace
}  // namespace partita::internal::test
