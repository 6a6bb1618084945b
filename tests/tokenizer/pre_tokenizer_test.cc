// Pre-tokenizers against recorded splits of the reference implementation.
#include "tokenizer/pre_tokenizer.h"

#include "support.h"
#include "tests/catch.h"

namespace partita::internal::test {
namespace {

PreTokenizer must_create(const std::string& name,
                         PreTokenizer::Splitter how = PreTokenizer::Splitter::kFastest) {
  auto splitter = PreTokenizer::create(name, how);
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

std::vector<std::size_t> word_bytes(const PreTokenizer& splitter, const std::string& text) {
  std::vector<std::string_view> words;
  const auto done = splitter.split(text, words);
  if (!done) FAIL(done.error().message);
  std::vector<std::size_t> lengths;
  for (const std::string_view word : words) lengths.push_back(word.size());
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

/// Characters about which expressions differ, in any order.
std::string awkward_text(std::mt19937_64& random) {
  static const std::string kParts[] = {
      " ",      " ",      "\n",     "\r",     "\t",         "'",          "s",      "S",
      "\u017F", "'ll",    "'Re",    "a",      "b",          "A",          "B",      "1",
      "2",      "3",      "\u00B2", "\u0663", "!",          "/",          "$",      "_",
      "\u4E2D", "\u3042", "\u3007", "\u3005", "\u2E80",     "\u01C5",     "\u02B0", "\u0301",
      "\u0903", "\u00A0", "\u3000", "\u0001", "\U0001F600", "\U00011DE0", "\u2163", "\uAC00"};
  std::string text;
  for (std::size_t left = random() % 16; left > 0; --left) text += kParts[random() % std::size(kParts)];
  return text;
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

TEST_CASE("Words of every pre-tokenizer equal those of the models' own tokenizer.json") {
  const auto recorded = record("words.json");
  const auto texts = recorded.at("strings").get<std::vector<std::string>>();
  std::size_t compared = 0;
  for (const auto& [name, lengths] : recorded.items()) {
    if (name == "versions" || name == "strings") continue;
    for (const auto how : {PreTokenizer::Splitter::kFastest, PreTokenizer::Splitter::kDefinition}) {
      const PreTokenizer splitter = must_create(name, how);
      REQUIRE(lengths.size() == texts.size());
      for (std::size_t i = 0; i < texts.size(); ++i) {
        INFO(name << ": " << nlohmann::json(texts[i]).dump(-1, ' ', true));
        CHECK(word_bytes(splitter, texts[i]) == lengths[i].get<std::vector<std::size_t>>());
      }
    }
    ++compared;
  }
  CHECK(compared == 28);
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

TEST_CASE("Words found by hand are those of the expressions") {
  std::mt19937_64 random(11);
  for (const std::string_view name : scheme_names()) {
    if (find_scheme(name)->word_end == nullptr) continue;
    const PreTokenizer fast = must_create(std::string(name));
    const PreTokenizer defined = must_create(std::string(name), PreTokenizer::Splitter::kDefinition);
    for (int i = 0; i < 3000; ++i) {
      const std::string text = i % 2 == 0 ? random_text(random, 24) : awkward_text(random);
      INFO(name << ": " << nlohmann::json(text).dump(-1, ' ', true));
      REQUIRE(word_lengths(fast, text) == word_lengths(defined, text));
    }
  }
}

TEST_CASE("Every name splits every text without gaps") {
  std::mt19937_64 random(12);
  for (const std::string_view name : scheme_names()) {
    const PreTokenizer splitter = must_create(std::string(name));
    for (int i = 0; i < 300; ++i) {
      const std::string text = i % 2 == 0 ? random_text(random, 40) : awkward_text(random);
      std::vector<std::string_view> words;
      REQUIRE(splitter.split(text, words));
      std::string joined;
      for (const std::string_view word : words) {
        REQUIRE_FALSE(word.empty());
        joined += word;
      }
      REQUIRE(joined == text);
    }
  }
}

TEST_CASE("A megabyte of one character is split by every pre-tokenizer", "[slow]") {
  const std::string units[] = {" ",          "a",      "A",  "1",       "!",       "\n", "\u0301",
                               "\U0001F600", "\u4E2D", " a", "a\u0301", "A\u4E2D", " !", "\u0001"};
  const Scheme* last = nullptr;
  for (const std::string_view name : scheme_names()) {
    if (std::exchange(last, find_scheme(name)) == find_scheme(name)) continue;  // names of one row
    const PreTokenizer tokenizer = must_create(std::string(name));
    for (const std::string& unit : units) {
      std::string text;
      while (text.size() < (1 << 20)) text += unit;
      INFO(name << ": " << nlohmann::json(unit).dump());
      std::vector<std::string_view> words;
      const auto done = tokenizer.split(text + "x", words);
      CHECK((done ? "" : done.error().message) == "");
    }
  }
}

TEST_CASE("Several names of one pre-tokenizer") {
  for (const std::string name : {"llama-bpe", "llama3", "llama-v3", "falcon3", "jina-v5-nano"}) {
    const PreTokenizer splitter = must_create(name);
    CHECK(splitter.ignore_merges());
    CHECK(splitter.add_bos());
    CHECK(word_lengths(splitter, "12345 it'S") == std::vector<int>{3, 2, 3, 2});
  }
  CHECK_FALSE(must_create("smollm").add_bos());
  CHECK_FALSE(must_create("qwen2").ignore_merges());
  CHECK(must_create("tekken").add_bos());
  CHECK(must_create("glm4").ignore_merges());
  CHECK_FALSE(must_create("glm4").add_bos());
}

TEST_CASE("A name stands in one row only") {
  std::vector<std::string_view> names = scheme_names();
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  CHECK(names.size() == 87);
}

TEST_CASE("The error for an unknown pre-tokenizer names it") {
  for (const char* name : {"unheard-of", "", "llama", "gpt-2 phi-2"}) {
    const auto unknown = PreTokenizer::create(name);
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == ErrorCode::kUnsupported);
    CHECK(unknown.error().message.find("\"" + std::string(name) + "\"") != std::string::npos);
  }
}

}  // namespace
}  // namespace partita::internal::test
