// BOS, EOS and end-of-generation tokens.
#include "support.h"
#include "tests/catch.h"

namespace partita::internal::test {
namespace {

TestVocabulary vocabulary_with_specials() {
  TestVocabulary vocab = byte_vocabulary();
  vocab.add("<bos>", kControl).add("<eos>", kControl).add("<|im_end|>", kControl).add("</s>");
  return vocab;
}

GgufWriter byte_file(const std::string& pre = "gpt-2") {
  GgufWriter file = file_of(vocabulary_with_specials(), "gpt2", std::vector<std::string>{});
  file.add("tokenizer.ggml.pre", pre);
  file.add("tokenizer.ggml.bos_token_id", kBos).add("tokenizer.ggml.eos_token_id", kEos);
  return file;
}

TEST_CASE("BOS and EOS as the metadata says") {
  CHECK(prompt(*must_open(byte_file()), "a") == Ids{'a'});
  CHECK(prompt(*must_open(byte_file("llama-bpe")), "a") == Ids{kBos, 'a'});

  GgufWriter no_bos = byte_file("llama-bpe");
  no_bos.add("tokenizer.ggml.add_bos_token", false);
  CHECK(prompt(*must_open(no_bos), "a") == Ids{'a'});

  GgufWriter both = byte_file();
  both.add("tokenizer.ggml.add_bos_token", true).add("tokenizer.ggml.add_eos_token", true);
  const auto tokenizer = must_open(both);
  CHECK(prompt(*tokenizer, "a") == Ids{kBos, 'a', kEos});
  CHECK(prompt(*tokenizer, "") == Ids{kBos, kEos});
  CHECK(prompt(*tokenizer, "<bos>a") == Ids{kBos, 'a', kEos});
  CHECK(prompt(*tokenizer, "<bos>") == Ids{kBos, kEos});
  CHECK(prompt(*tokenizer, "a<eos>") == Ids{kBos, 'a', kEos});
  CHECK(prompt(*tokenizer, "<bos><bos>a") == Ids{kBos, kBos, 'a', kEos});  // the two BOS of the text stay
  CHECK(prompt(*tokenizer, "<bos>", Specials::kAsText) == Ids{kBos, '<', 'b', 'o', 's', '>', kEos});
  CHECK(encode(*tokenizer, "a", Specials::kParse) == Ids{'a'});
}

TEST_CASE("add_bos_token without a BOS id is an error, unless it is only the default") {
  GgufWriter file = file_of(vocabulary_with_specials(), "gpt2", std::vector<std::string>{});
  file.add("tokenizer.ggml.pre", "llama-bpe");
  CHECK(prompt(*must_open(file), "a") == Ids{'a'});
  file.add("tokenizer.ggml.add_bos_token", true);
  const auto tokenizer = open(file);
  REQUIRE_FALSE(tokenizer);
  CHECK(tokenizer.error().code == ErrorCode::kBadFile);
  CHECK(tokenizer.error().message.find("add_bos_token") != std::string::npos);
}

TEST_CASE("Llama's ids are the defaults for old files without ids") {
  TestVocabulary vocab;
  vocab.add("<unk>", kUnknown).add("<s>", kControl).add("</s>", kControl);
  add_byte_pieces(vocab);
  const SpecialIds ids = must_open(file_of(vocab, "llama"))->specials();
  CHECK(ids.unknown == 0);
  CHECK(ids.bos == 1);
  CHECK(ids.eos == 2);
  CHECK(ids.add_bos);
  CHECK_FALSE(ids.add_eos);
  CHECK(ids.end_of_generation == Ids{2});
}

TEST_CASE("Generation ends at EOS, at the ids of the metadata and at control tokens spelled like an end") {
  const auto plain = must_open(byte_file());
  CHECK(plain->specials().end_of_generation == Ids{kEos, kTurn});  // "</s>" is a plain word there
  CHECK(plain->ends_generation(kTurn));
  CHECK_FALSE(plain->ends_generation(kBos));
  CHECK_FALSE(plain->ends_generation(-1));

  GgufWriter file = byte_file();
  file.add("tokenizer.ggml.eot_token_id", 7u).add("tokenizer.ggml.eom_token_id", 9u);
  CHECK(must_open(file)->specials().end_of_generation == Ids{7, 9, kEos, kTurn});
}

TEST_CASE("Special tokens: leftmost, longest, and only whole") {
  TestVocabulary vocab = byte_vocabulary();
  vocab.add("<a>", kControl).add("<a><b>", kControl).add("<b>", kControl).add("", kControl);
  const auto tokenizer = must_open(file_of(vocab, "gpt2", std::vector<std::string>{}));
  const TokenId a = 256, ab = 257, b = 258;
  CHECK(encode(*tokenizer, "<a><b><b><a>", Specials::kParse) == Ids{ab, b, a});
  CHECK(encode(*tokenizer, "<a><b", Specials::kParse) == Ids{a, '<', 'b'});
  CHECK(encode(*tokenizer, "<<a>>", Specials::kParse) == Ids{'<', a, '>'});
}

TEST_CASE("Ids outside the vocabulary have no text") {
  const auto tokenizer = must_open(byte_file());
  for (const TokenId id : {-1, 260, 1 << 30}) {
    CHECK_FALSE(tokenizer->contains(id));
    CHECK(tokenizer->piece(id).empty());
    CHECK(tokenizer->spelling(id).empty());
    CHECK(tokenizer->decode(Ids{id, 'a'}, true) == "a");
    CHECK(tokenizer->kind(id) == TokenKind::kUnknown);
  }
}

}  // namespace
}  // namespace partita::internal::test
