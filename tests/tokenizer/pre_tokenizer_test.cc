// Pre-tokenizers against recorded splits of the reference implementation.
#include "tokenizer/pre_tokenizer.h"

#include "support.h"
#include "tests/catch.h"

namespace partita::internal::test {
namespace {

PreTokenizer must_create(const std::string& name) {
  auto splitter = PreTokenizer::create(name);
  if (!splitter) FAIL(splitter.error().message);
  return std::move(*splitter);
}

/// The lengths of the words, in characters.
std::vector<int> word_lengths(const PreTokenizer& splitter, const std::string& text) {
  std::vector<std::string_view> words;
  const auto done = splitter.split(text, words);
  if (!done) FAIL(done.error().message);
  std::vector<int> lengths;
  for (const std::string_view word : words) {
    lengths.push_back(static_cast<int>(
        std::count_if(word.begin(), word.end(), [](char byte) { return (byte & 0xC0) != 0x80; })));
  }
  return lengths;
}

std::string utf8(char32_t code) {
  const auto byte = [](char32_t value) { return static_cast<char>(value); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xC0 | code >> 6), byte(0x80 | (code & 63))};
  if (code < 0x10000) {
    return {byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 63)), byte(0x80 | (code & 63))};
  }
  return {byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 63)), byte(0x80 | (code >> 6 & 63)),
          byte(0x80 | (code & 63))};
}

TEST_CASE("Words equal the recorded splits") {
  const auto recorded = record("splits.json");
  for (const std::string name : {"smollm", "llama-bpe", "qwen2", "gpt-2", "default"}) {
    const PreTokenizer splitter = must_create(name);
    REQUIRE(recorded.at(name).size() == strings().size());
    for (std::size_t i = 0; i < strings().size(); ++i) {
      INFO(name << ", string " << i << ": " << strings()[i].substr(0, 80));
      CHECK(word_lengths(splitter, strings()[i]) == recorded.at(name)[i].get<std::vector<int>>());
    }
  }
}

TEST_CASE("Every code point has the class (letter, number, space, other) of the reference", "[slow]") {
  const auto recorded = record("splits.json");
  for (const std::string name : {"smollm", "llama-bpe"}) {
    const PreTokenizer splitter = must_create(name);
    const auto& runs = recorded.at(name + " shapes");
    std::size_t run = 0;
    std::vector<int> expected;
    std::string differing;
    for (char32_t code = 0; code < 0x110000; ++code) {
      if (code >= 0xD800 && code <= 0xDFFF) continue;
      if (run < runs.size() && runs[run][0] == static_cast<std::uint32_t>(code)) {
        expected = runs[run++][1].get<std::vector<int>>();
      }
      const std::string x = utf8(code);
      if (word_lengths(splitter, "a" + x + "1" + x + " " + x + x) != expected && differing.size() < 200) {
        differing += " " + std::to_string(static_cast<std::uint32_t>(code));
      }
    }
    CHECK(run == runs.size());
    CHECK(differing == "");
  }
}

TEST_CASE("Several names of one pre-tokenizer") {
  for (const std::string name : {"llama-bpe", "llama3", "llama-v3"}) {
    const PreTokenizer splitter = must_create(name);
    CHECK(splitter.ignore_merges());
    CHECK(splitter.add_bos());
    CHECK(word_lengths(splitter, "12345 it'S") == std::vector<int>{3, 2, 3, 2});
  }
  CHECK_FALSE(must_create("smollm").add_bos());
  CHECK_FALSE(must_create("qwen2").ignore_merges());
}

TEST_CASE("The error for an unknown pre-tokenizer lists the supported ones") {
  const auto unknown = PreTokenizer::create("tekken");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == ErrorCode::kUnsupported);
  for (const char* part : {"tekken", "smollm", "llama-bpe", "qwen2", "gpt-2", "default"}) {
    CHECK(unknown.error().message.find(part) != std::string::npos);
  }
}

}  // namespace
}  // namespace partita::internal::test
