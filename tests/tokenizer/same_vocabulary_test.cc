// Comparison of vocabularies, and the reported difference.
#include "tokenizer/same_vocabulary.h"

#include "support.h"
#include "tests/catch.h"

namespace partita::internal::test {
namespace {

TestVocabulary some_tokens() {
  return byte_vocabulary().add("<bos>", kControl).add("<fin>", kControl).add("<turn>", kControl);
}

std::unique_ptr<Tokenizer> make(const TestVocabulary& vocab, std::uint32_t bos = kBos,
                                std::uint32_t eos = kEos, const std::vector<std::string>& merges = {}) {
  GgufWriter file = file_of(vocab, "gpt2", merges);
  file.add("tokenizer.ggml.pre", "gpt-2");
  file.add("tokenizer.ggml.bos_token_id", bos).add("tokenizer.ggml.eos_token_id", eos);
  return must_open(file);
}

TEST_CASE("A vocabulary equals itself, regardless of space prefix, merges or a missing BOS") {
  CHECK_FALSE(vocabulary_difference(*make(some_tokens()), *make(some_tokens())));
  const TestVocabulary longer = some_tokens().add("ab");
  CHECK_FALSE(vocabulary_difference(*make(longer), *make(longer, kBos, kEos, {"a b"})));
}

TEST_CASE("The first difference of two vocabularies is named from both sides") {
  const auto first = make(some_tokens());
  const auto difference = [&](const std::unique_ptr<Tokenizer>& other) {
    const auto why = vocabulary_difference(*first, *other);
    REQUIRE(why);
    CHECK(vocabulary_difference(*other, *first));
    return *why;
  };
  CHECK(difference(make(some_tokens().add("more"))) == "one has 259 tokens, the other 260");

  TestVocabulary respelled = some_tokens();
  respelled.tokens[200] = "two hundred";
  respelled.tokens[201] = "and one";
  CHECK(difference(make(respelled)).rfind("id 200 is ", 0) == 0);
  CHECK(difference(make(respelled)).find("'two hundred' (normal) in the other") != std::string::npos);

  TestVocabulary text = some_tokens();
  text.types[kTurn] = kNormal;
  CHECK(difference(make(text)) == "id 258 is '<turn>' (control) in one, '<turn>' (normal) in the other");

  CHECK(difference(make(some_tokens(), kTurn)) == "BOS is id 256 in one, 258 in the other");
  CHECK(difference(make(some_tokens(), kBos, kTurn)) ==
        "id 257, '<fin>', ends an answer in one, not in the other");
  CHECK(*vocabulary_difference(*make(some_tokens(), kBos, kTurn), *first) ==
        "id 257, '<fin>', ends an answer in the other, not in the first");
}

TEST_CASE("Equal spellings of different bytes are different tokens") {
  TestVocabulary bytes = byte_vocabulary(),
                 pieces = byte_vocabulary();  // "Ġ" is a space in one, literal in the other
  GgufWriter spm = file_of(pieces, "llama");
  const auto why = vocabulary_difference(*make(bytes.add("x", kControl), 256, 256), *must_open(spm));
  CHECK(why);
}

}  // namespace
}  // namespace partita::internal::test
