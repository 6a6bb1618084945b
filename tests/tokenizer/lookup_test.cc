// The hash tables and the search for special tokens in text.
#include "tokenizer/lookup.h"

#include <map>

#include "support.h"
#include "tests/catch.h"
#include "tokenizer/models/byte_alphabet.h"
#include "tokenizer/prefix_matcher.h"

namespace partita::internal::test {
namespace {

TEST_CASE("Strings are found by their bytes, the last of equal ones") {
  std::mt19937_64 random(1);
  std::map<std::string, std::int32_t> expected;
  StringTable table(5000, 0);
  for (std::int32_t i = 0; i < 5000; ++i) {
    const std::string word = random_bytes(random, 3);
    table.add(word, i % 7 != 0);
    if (i % 7 != 0) expected[word] = i;
    REQUIRE(table[static_cast<std::size_t>(i)] == word);
  }
  CHECK(table.size() == 5000);
  for (int i = 0; i < 20000; ++i) {
    const std::string word = random_bytes(random, 4);
    const auto found = expected.find(word);
    REQUIRE(table.find(word) == (found == expected.end() ? std::nullopt : std::optional(found->second)));
  }
  CHECK(table.longest() == 3);
}

TEST_CASE("Merges are found by their pair, the last of equal ones") {
  std::mt19937_64 random(2);
  std::map<std::pair<int, int>, std::int32_t> expected;
  MergeTable table(4000);
  for (std::int32_t i = 0; i < 4000; ++i) {
    const int left = static_cast<int>(random() % 60), right = static_cast<int>(random() % 60);
    table.set(left, right, {static_cast<std::uint32_t>(i), i});
    expected[{left, right}] = i;
  }
  for (int left = 0; left < 61; ++left) {
    for (int right = 0; right < 61; ++right) {
      const auto found = expected.find({left, right});
      const auto merge = table.find(left, right);
      REQUIRE(merge.has_value() == (found != expected.end()));
      if (merge) REQUIRE(merge->id == found->second);
    }
  }
}

TEST_CASE("Merges of large ids, and of id -1, are distinguished by every bit") {
  const std::int32_t ids[] = {-1, 0, 1, 2, 255, 256, 65535, 65536, 65537, 1 << 20, (1 << 22) - 1};
  MergeTable table(200);
  std::int32_t next = 0;
  for (const std::int32_t left : ids) {
    for (const std::int32_t right : ids) {
      CHECK_FALSE(table.find(left, right));
      table.set(left, right, {static_cast<std::uint32_t>(next), next});
      ++next;
    }
  }
  next = 0;
  for (const std::int32_t left : ids) {
    for (const std::int32_t right : ids) {
      REQUIRE(table.find(left, right));
      CHECK(table.find(left, right)->id == next++);
    }
  }
}

TEST_CASE("Spellings in text: the same as trying every spelling at every position") {
  std::mt19937_64 random(3);
  const auto word = [&random](std::size_t longest) {
    std::string text(random() % (longest + 1), 'a');
    for (char& letter : text) letter = static_cast<char>("ab\xFF"[random() % 3]);
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> words(random() % 12);
    for (std::string& w : words) w = word(4);
    std::vector<PrefixMatcher::Spelling> spellings;
    for (std::size_t i = 0; i < words.size(); ++i)
      spellings.push_back({words[i], static_cast<std::int32_t>(i)});
    const PrefixMatcher matcher(spellings);
    const std::string text = word(12);
    PrefixMatcher::Match expected;
    for (std::size_t at = 0; at < text.size() && expected.length == 0; ++at) {
      for (std::size_t i = 0; i < words.size(); ++i) {
        const bool is_longest = !words[i].empty() && words[i].size() >= expected.length;
        if (is_longest && text.compare(at, words[i].size(), words[i]) == 0) {
          expected = {at, words[i].size(), static_cast<std::int32_t>(i)};
        }
      }
    }
    const PrefixMatcher::Match found = matcher.find(text);
    REQUIRE(found.length == expected.length);
    if (expected.length > 0) REQUIRE(found.position == expected.position);
    if (expected.length > 0) REQUIRE(found.id == expected.id);
  }
}

TEST_CASE("The byte alphabet") {
  for (int byte = 0; byte < 256; ++byte) {
    std::string surface;
    append_surface(byte_spelling(static_cast<std::uint8_t>(byte)), surface);
    CHECK(surface == std::string(1, static_cast<char>(byte)));
  }
  CHECK(byte_spelling(' ') == "\xC4\xA0");   // U+0120
  CHECK(byte_spelling('\n') == "\xC4\x8A");  // U+010A
  CHECK(byte_spelling(0xAD) == "\xC5\x83");  // U+0143, the last
  for (const char* outside : {" ", "a b", "\xE2\x82\xAC", "\xC5\x84", "a\xC4", "\xFF"}) {
    std::string surface;
    append_surface(outside, surface);
    CHECK(surface == outside);
  }
}

}  // namespace
}  // namespace partita::internal::test
