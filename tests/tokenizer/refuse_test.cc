// Vocabularies that contradict themselves are refused in a sentence; strange ones do no harm.
#include <cmath>
#include <limits>

#include "support.h"
#include "tests/catch.h"

namespace partita::test {
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

Words two_words() { return Words().add("a").add("b"); }

TEST_CASE("Unknown kinds of vocabulary are named") {
  GgufWriter none;
  none.add("general.architecture", "llama");
  check_refused(none, ErrorCode::kNotFound, {"tokenizer.ggml.model"});
  check_refused(file_of(two_words(), "bert"), ErrorCode::kUnsupported, {"bert", "gpt2", "llama"});
  GgufWriter pre = file_of(two_words(), "gpt2", std::vector<std::string>{});
  pre.add("tokenizer.ggml.pre", "tekken");
  check_refused(pre, ErrorCode::kUnsupported, {"tekken", "smollm"});
}

TEST_CASE("Arrays must have one entry a token") {
  Words few_types = two_words();
  few_types.types.pop_back();
  check_refused(file_of(few_types, "llama"), ErrorCode::kBadFile, {"token_type", "1", "2"});
  Words many_scores = two_words();
  many_scores.scores.push_back(0);
  check_refused(file_of(many_scores, "llama"), ErrorCode::kBadFile, {"scores", "3", "2"});
  check_refused(file_of(Words(), "llama"), ErrorCode::kBadFile, {"tokens", "0"});
  GgufWriter no_scores;
  no_scores.add("tokenizer.ggml.model", "llama").add("tokenizer.ggml.tokens", two_words().tokens);
  check_refused(no_scores, ErrorCode::kNotFound, {"scores"});
  GgufWriter no_merges;
  no_merges.add("tokenizer.ggml.model", "gpt2").add("tokenizer.ggml.tokens", two_words().tokens);
  check_refused(no_merges, ErrorCode::kNotFound, {"merges"});
}

TEST_CASE("Arrays must have entries of the right type") {
  GgufWriter numbers;
  numbers.add("tokenizer.ggml.model", "gpt2").add("tokenizer.ggml.tokens", std::vector<float>{1, 2});
  check_refused(numbers, ErrorCode::kBadFile, {"tokens", "strings"});
  GgufWriter merges;
  merges.add("tokenizer.ggml.model", "gpt2").add("tokenizer.ggml.tokens", two_words().tokens);
  merges.add("tokenizer.ggml.merges", std::vector<std::int32_t>{1});
  check_refused(merges, ErrorCode::kBadFile, {"merges", "strings"});
  Words strange = two_words();
  strange.types[1] = 77;
  check_refused(file_of(strange, "llama"), ErrorCode::kBadFile, {"token_type", "1"});
  strange.types[1] = -1;
  check_refused(file_of(strange, "llama"), ErrorCode::kBadFile, {"token_type", "1"});
  Words infinite = two_words();
  infinite.scores[1] = std::numeric_limits<float>::quiet_NaN();
  check_refused(file_of(infinite, "llama"), ErrorCode::kBadFile, {"scores", "1"});
}

TEST_CASE("Special ids must be in the vocabulary") {
  for (const char* key :
       {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.unknown_token_id",
        "tokenizer.ggml.padding_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    GgufWriter file = file_of(two_words(), "llama");
    file.add(key, 2u);
    check_refused(file, ErrorCode::kBadFile, {key, "2"});
    GgufWriter negative = file_of(two_words(), "llama");
    negative.add(key, std::int32_t{-1});
    check_refused(negative, ErrorCode::kBadFile, {key});
  }
}

TEST_CASE("A merge must be made of tokens") {
  const auto with = [](const std::string& merge) {
    return file_of(Words().add("a").add("b").add("ab"), "gpt2", std::vector<std::string>{"a b", merge});
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

TEST_CASE("Tokens have an end, byte tokens spell a byte") {
  check_refused(file_of(Words().add(std::string(5000, 'x')), "llama"), ErrorCode::kBadFile, {"5000", "4096"});
  for (const char* spelling : {"<0x0>", "<0xGG>", "<0x-1>", "a", "", "<0x0A"}) {
    check_refused(file_of(Words().add(spelling, kByte), "llama"), ErrorCode::kBadFile, {"byte"});
  }
}

TEST_CASE("Strange vocabularies do no harm") {
  std::mt19937_64 random(9);
  Words words;
  words.add("", kNormal).add("", kUserDefined).add("", kControl).add("a").add("a").add("a", kControl);
  words.add("a", kUserDefined)
      .add("\xFF\xFE", kNormal)
      .add("\xE2\x96", kUserDefined)
      .add(" ")
      .add("\xE2\x96\x81");
  words.add("<unk>", kUnknown);
  for (const bool bytes : {false, true}) {
    if (bytes) add_byte_pieces(words);
    GgufWriter pieces = file_of(words, "llama");
    pieces.add("tokenizer.ggml.unknown_token_id", 11u);
    std::vector<std::unique_ptr<Tokenizer>> tokenizers;
    tokenizers.push_back(must_open(pieces));
    tokenizers.push_back(must_open(file_of(words, "gpt2", std::vector<std::string>{})));
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
}  // namespace partita::test
