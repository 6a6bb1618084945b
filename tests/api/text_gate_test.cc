// What may be shown of an answer: whole characters, and nothing of a stop string.
#include "api/text_gate.h"

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::testing {
namespace {

/// The tokenizer of the tiny vocabulary: an id below 256 is that byte.
class Vocabulary {
 public:
  Vocabulary() : gguf_(must(Gguf::open(file_.path()))), tokenizer_(must(Tokenizer::from_gguf(gguf_))) {}
  const Tokenizer& operator*() const { return *tokenizer_; }

 private:
  ChatModelFile file_;
  Gguf gguf_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TextGate gate_with(const Vocabulary& vocabulary, std::vector<std::string> stops) {
  return must(TextGate::create(*vocabulary, std::move(stops)));
}

std::vector<std::string> push_bytes(TextGate& gate, std::string_view bytes) {
  std::vector<std::string> shown;
  for (const char c : bytes) shown.push_back(gate.push(static_cast<unsigned char>(c)));
  return shown;
}

TEST_CASE("Text comes out as it goes in, by whole characters") {
  const Vocabulary vocabulary;
  TextGate gate = gate_with(vocabulary, {});
  CHECK(push_bytes(gate, "aé€😀") == std::vector<std::string>{"a", "", "é", "", "", "€", "", "", "", "😀"});
  CHECK(gate.push(ChatVocabulary::kHello) == "hello");
  CHECK(gate.push(ChatVocabulary::kStart).empty());
  CHECK(gate.finish().empty());
}

TEST_CASE("An unfinished character at the end becomes U+FFFD") {
  const Vocabulary vocabulary;
  TextGate gate = gate_with(vocabulary, {});
  CHECK(push_bytes(gate, "x\xE2\x82") == std::vector<std::string>{"x", "", ""});
  CHECK(gate.finish() == "\xEF\xBF\xBD");
}

TEST_CASE("A stop string that straddles tokens never leaks") {
  const Vocabulary vocabulary;
  TextGate gate = gate_with(vocabulary, {"END"});
  CHECK(push_bytes(gate, "the EN") == std::vector<std::string>{"t", "h", "e", " ", "", ""});
  CHECK_FALSE(gate.stopped());
  CHECK(gate.push('D').empty());
  CHECK(gate.stopped());
  CHECK(gate.push('x').empty());
  CHECK(gate.finish().empty());
}

TEST_CASE("What only looked like a stop string is shown after all") {
  const Vocabulary vocabulary;
  TextGate gate = gate_with(vocabulary, {"END"});
  CHECK(push_bytes(gate, "EEN") == std::vector<std::string>{"", "E", ""});
  CHECK(gate.push('!') == "EN!");
  CHECK(push_bytes(gate, "EN") == std::vector<std::string>{"", ""});
  CHECK(gate.finish() == "EN");
  CHECK_FALSE(gate.stopped());
}

TEST_CASE("A stop inside one token cuts it; the earliest of several wins") {
  const Vocabulary vocabulary;
  TextGate gate = gate_with(vocabulary, {"lo", "el", "xyz"});
  CHECK(gate.push(ChatVocabulary::kHello) == "h");
  CHECK(gate.stopped());
}

TEST_CASE("A stop of several characters is found where it begins again within itself") {
  const Vocabulary vocabulary;
  TextGate gate = gate_with(vocabulary, {"aab"});
  std::string shown;
  for (const std::string& piece : push_bytes(gate, "aaab")) shown += piece;
  CHECK(shown == "a");
  CHECK(gate.stopped());
}

TEST_CASE("A stop that ends with the last, unfinished character is met at the end") {
  const Vocabulary vocabulary;
  TextGate gate = gate_with(vocabulary, {"\xEF\xBF\xBD"});
  CHECK(push_bytes(gate, "a\xC3") == std::vector<std::string>{"a", ""});
  CHECK(gate.finish().empty());
  CHECK(gate.stopped());
}

TEST_CASE("A prompt's unfinished character is completed by the answer") {
  const Vocabulary vocabulary;
  TextGate gate = gate_with(vocabulary, {});
  const std::vector<TokenId> prompt = {'a', 0xC3};
  gate.prime(prompt);
  CHECK(gate.push(0xA9) == "é");
}

TEST_CASE("An empty stop string is refused") {
  const Vocabulary vocabulary;
  const auto gate = TextGate::create(*vocabulary, {"a", ""});
  REQUIRE_FALSE(gate);
  CHECK(gate.error().code == ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace partita::testing
