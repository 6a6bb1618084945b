// The vocabularies that llama.cpp keeps, with the ids that the models' own tokenizers gave for its texts.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "support.h"
#include "tests/catch.h"
#include "tokenizer/open.h"

namespace partita::internal::test {
namespace {

/// A vocabulary cut to what its texts use, and the ids of its tokens in the whole one.
struct Trimmed {
  std::unique_ptr<Tokenizer> tokenizer;
  std::vector<TokenId> whole;
};

Trimmed open_trimmed(const nlohmann::json& recorded) {
  Trimmed trimmed;
  TestVocabulary vocab;
  for (const auto& token : recorded.at("tokens")) {
    trimmed.whole.push_back(token[0]);
    const std::size_t i = vocab.tokens.size();
    const float score = recorded.contains("scores") ? recorded["scores"][i].get<float>() : 0.0f;
    vocab.add(token[1], token[2], score);
  }
  std::optional<std::vector<std::string>> merges;
  if (recorded.contains("merges")) merges = recorded["merges"].get<std::vector<std::string>>();
  GgufWriter file = file_of(vocab, recorded.at("model"), merges);
  if (recorded.contains("pre")) file.add("tokenizer.ggml.pre", recorded["pre"].get<std::string>());
  trimmed.tokenizer = must_open(file);
  return trimmed;
}

TEST_CASE("Vocabularies of llama.cpp give its ids") {
  const auto recorded = record("vocabularies.json");
  CHECK(recorded.size() == 14);
  for (const auto& [name, vocabulary] : recorded.items()) {
    const Trimmed trimmed = open_trimmed(vocabulary);
    const auto texts = vocabulary.at("texts").get<std::vector<std::string>>();
    REQUIRE(texts.size() >= 46);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      INFO(name << ", text " << i << ": " << texts[i]);
      Ids ids = encode(*trimmed.tokenizer, texts[i]);
      CHECK(trimmed.tokenizer->decode(ids) == texts[i]);
      for (TokenId& id : ids) id = trimmed.whole[static_cast<std::size_t>(id)];
      CHECK(ids == vocabulary.at("ids")[i].get<Ids>());
    }
  }
}

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::string> texts_of(std::string input) {
  constexpr std::string_view kBetween = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  for (std::size_t end = 0; (end = input.find(kBetween)) != std::string::npos;) {
    texts.push_back(input.substr(0, end));
    input.erase(0, end + kBetween.size());
  }
  texts.push_back(input);  // not every file ends with a separator
  return texts;
}

/// PARTITA_LLAMA_CPP: a directory with the sources of llama.cpp.
TEST_CASE("Whole vocabularies of llama.cpp give its ids", "[long]") {
  const char* const source = std::getenv("PARTITA_LLAMA_CPP");
  if (source == nullptr) {
    WARN("not run: PARTITA_LLAMA_CPP does not name the sources of llama.cpp");
    return;
  }
  const auto recorded = record("vocabularies.json");
  for (const auto& [name, vocabulary] : recorded.items()) {
    const std::string path = std::string(source) + "/models/ggml-vocab-" + name + ".gguf";
    const auto file = Gguf::open(path);
    if (!file) FAIL(file.error().message);
    const auto tokenizer = open_tokenizer(*file);
    if (!tokenizer) FAIL(tokenizer.error().message);
    const std::vector<std::string> texts = texts_of(contents(path + ".inp"));
    std::istringstream lines(contents(path + ".out"));
    std::size_t compared = 0;
    for (std::string line; std::getline(lines, line); ++compared) {
      std::istringstream numbers(line);
      const Ids expected{std::istream_iterator<TokenId>(numbers), std::istream_iterator<TokenId>()};
      INFO(name << ": " << texts.at(compared));
      CHECK(encode(**tokenizer, texts.at(compared)) == expected);
    }
    CHECK(compared == vocabulary.at("texts").size());
  }
}

TEST_CASE("Gemma 4: newlines, bytes and spaces") {
  TestVocabulary vocab;
  add_byte_pieces(vocab);
  vocab.add("\xE2\x96\x81")
      .add("a")
      .add("b")
      .add("ab")
      .add(
          "\xE2\x96\x81"
          "ab")
      .add("\n")
      .add("\n\n\n");
  vocab.add("<bos>", kControl).add("<turn|>", kUserDefined);
  const auto id = [&vocab](const char* token) { return vocab.id(token); };
  GgufWriter file = file_of(vocab, "gemma4", std::vector<std::string>{"a b", "\xE2\x96\x81 ab"});
  file.add("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(id("<bos>")));
  file.add("tokenizer.ggml.add_bos_token", false);  // files say so by mistake
  const auto tokenizer = must_open(file);
  CHECK(encode(*tokenizer, "ab ab") == Ids{id("ab"), id("\xE2\x96\x81"
                                                        "ab")});
  CHECK(encode(*tokenizer, "\n\n\na\n\n") == Ids{id("\n\n\n"), id("a"), id("\n"), id("\n")});
  CHECK(encode(*tokenizer, "\u00E9\xFF") == Ids{0xC3, 0xA9, 0xFF});
  CHECK(encode(*tokenizer, "a<turn|>b") == Ids{id("a"), id("<turn|>"), id("b")});
  CHECK(prompt(*tokenizer, "a") == Ids{id("<bos>"), id("a")});
  CHECK(tokenizer->decode(encode(*tokenizer, " ab\n  c \u2581")) == " ab\n  c \u2581");
}

TEST_CASE("Other tokenizers of characters with merges") {
  TestVocabulary vocab;
  add_byte_pieces(vocab);
  const std::string mark = "\xE2\x96\x81";
  vocab.add(mark).add("a").add("aa").add(mark + "a").add("\n").add("\n\n");
  const auto open_as = [&](const char* pre) {
    GgufWriter file = file_of(vocab, "gpt2", std::vector<std::string>{"a a", mark + " a"});
    file.add("tokenizer.ggml.pre", std::string(pre));
    return must_open(file);
  };
  const TokenId space = vocab.id(mark), a = vocab.id("a"), newline = vocab.id("\n");
  const auto sarvam = open_as("sarvam-moe");
  CHECK(encode(*sarvam, "aa\n\na") == Ids{vocab.id("aa"), newline, newline, a});
  const auto mmbert = open_as("mmbert");  // a line begins with a space, and a word with each space
  CHECK(encode(*mmbert, "a  a\n\na") ==
        Ids{vocab.id(mark + "a"), space, vocab.id(mark + "a"), vocab.id("\n\n"), vocab.id(mark + "a")});
  CHECK(encode(*open_as("granite-embed-multi-311m"), "a a") == Ids{a, vocab.id(mark + "a")});
}

TEST_CASE("A model without a tokenizer takes and gives ids") {
  GgufWriter file;
  file.add("general.architecture", "llama").add("llama.vocab_size", 300u).add("tokenizer.ggml.model", "none");
  const auto tokenizer = must_open(file);
  CHECK(tokenizer->size() == 300);
  CHECK(tokenizer->decode(Ids{7, 299}) == " 7 299");
  Ids ids;
  const auto refused = tokenizer->encode("text", Specials::kParse, ids);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::kUnsupported);
  CHECK(refused.error().message.find("give token ids") != std::string::npos);
  GgufWriter empty;
  empty.add("general.architecture", "llama").add("tokenizer.ggml.model", "none");
  const auto unsized = open(empty);
  REQUIRE_FALSE(unsized);
  CHECK(unsized.error().code == ErrorCode::kBadFile);
}

}  // namespace
}  // namespace partita::internal::test
