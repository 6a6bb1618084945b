// GGUF vocabularies "bert" and "t5" against the records of tokenizers and SentencePiece.
#include <fstream>

#include "tests/catch.h"
#include "tests/tokenizer/support.h"
#include "tokenizer/models/sentencepiece_proto.h"

namespace partita::internal::test {
namespace {

std::string read(const std::string& name) {
  std::ifstream file(std::string(PARTITA_TEST_DATA) + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// As llama.cpp's converter spells tokens of WordPiece.
std::string gguf_spelling(const std::string& token) {
  if (token.starts_with('[') && token.ends_with(']')) return token;
  return token.starts_with("##") ? token.substr(2) : "\u2581" + token;
}

GgufWriter bert_file(const nlohmann::json& tokenizer) {
  std::vector<std::string> spellings(tokenizer["model"]["vocab"].size());
  for (const auto& [token, id] : tokenizer["model"]["vocab"].items())
    spellings[id.get<std::size_t>()] = gguf_spelling(token);
  TestVocabulary vocabulary;
  for (const std::string& spelling : spellings)
    vocabulary.add(spelling, spelling.size() > 2 && spelling[0] == '[' ? kControl : kNormal);
  GgufWriter file = file_of(vocabulary, "bert");
  file.add("tokenizer.ggml.unknown_token_id", 1u).add("tokenizer.ggml.cls_token_id", 2u);
  file.add("tokenizer.ggml.seperator_token_id", 3u);
  return file;
}

/// tokenizer.ggml.model "t5" from a SentencePiece model.
GgufWriter t5_file(const SentencePieceFile& model) {
  TestVocabulary vocabulary;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    constexpr std::int32_t kTypes[] = {kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte};
    vocabulary.add(std::string(model.pieces[i]), kTypes[static_cast<std::size_t>(model.kinds[i])],
                   model.scores[i]);
  }
  GgufWriter file = file_of(vocabulary, "t5");
  file.add("tokenizer.ggml.unknown_token_id", 0u)
      .add("tokenizer.ggml.add_space_prefix", model.add_dummy_prefix);
  file.add("tokenizer.ggml.remove_extra_whitespaces", model.removes_extra_whitespace);
  return file;
}

}  // namespace

TEST_CASE("A GGUF vocabulary of BERT gives the ids of its tokenizer.json") {
  const auto whole = nlohmann::json::parse(read("/tokenizer_json/bert.json"));
  const auto texts =
      nlohmann::json::parse(read("/tokenizer_json/strings.json")).get<std::vector<std::string>>();
  const auto tokenizer = must_open(bert_file(whole["tokenizer"]));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    INFO(texts[i]);
    if (texts[i].find("\u2581") != std::string::npos) continue;  // the mark of words in this vocabulary
    const auto expected = whole["record"]["ids"][i].get<Ids>();
    CHECK(encode(*tokenizer, texts[i], Specials::kParse) == expected);
    Ids around = expected;
    around.insert(around.begin(), 2);
    around.push_back(3);
    if (expected.empty() || (expected.front() != 2 && expected.back() != 3))
      CHECK(prompt(*tokenizer, texts[i]) == around);
  }
  CHECK(tokenizer->decode(encode(*tokenizer, "  The CAT, na\xC3\xAFve")) == "the cat , naive");
}

TEST_CASE("A GGUF vocabulary of unigram pieces gives the ids of SentencePiece") {
  const std::string model = read("/tokenizer/tiny_unigram.model");
  const auto parsed = parse_sentencepiece(model);
  REQUIRE(parsed.ok());
  REQUIRE_FALSE(parsed->merges_by_score);
  const auto tokenizer = must_open(t5_file(*parsed));
  const auto recorded = record("tiny_unigram.json");
  std::size_t compared = 0;
  for (std::size_t i = 0; i < strings().size(); ++i) {
    INFO(strings()[i]);
    if (recorded["as_text"][i].is_null()) continue;
    CHECK(encode(*tokenizer, strings()[i]) == recorded["as_text"][i].get<Ids>());
    ++compared;
  }
  CHECK(compared > 300);
}

}  // namespace partita::internal::test
