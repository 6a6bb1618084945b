// StopFilter releases whole characters, and nothing of a stop string.
#include "api/serving/stop_filter.h"

#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tokenizer/open.h"

namespace partita::internal::testing {
namespace {

/// The tokenizer of the tiny vocabulary: an id below 256 is that byte.
class Vocabulary {
 public:
  Vocabulary() : gguf_(must(Gguf::open(file_.path()))), tokenizer_(must(open_tokenizer(gguf_))) {}
  const Tokenizer& operator*() const { return *tokenizer_; }

 private:
  ChatModelFile file_;
  Gguf gguf_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

StopFilter filter_with(const Vocabulary& vocabulary, std::vector<std::string> stops) {
  return must(StopFilter::create(*vocabulary, std::move(stops)));
}

std::vector<std::string> push_bytes(StopFilter& filter, std::string_view bytes) {
  std::vector<std::string> shown;
  for (const char c : bytes) shown.push_back(filter.push(static_cast<unsigned char>(c)));
  return shown;
}

TEST_CASE("Text comes out as it goes in, by whole characters") {
  const Vocabulary vocabulary;
  StopFilter filter = filter_with(vocabulary, {});
  CHECK(push_bytes(filter, "aé€😀") == std::vector<std::string>{"a", "", "é", "", "", "€", "", "", "", "😀"});
  CHECK(filter.push(ChatVocabulary::kHello) == "hello");
  CHECK(filter.push(ChatVocabulary::kStart).empty());
  CHECK(filter.finish().empty());
}

TEST_CASE("An unfinished character at the end becomes U+FFFD") {
  const Vocabulary vocabulary;
  StopFilter filter = filter_with(vocabulary, {});
  CHECK(push_bytes(filter, "x\xE2\x82") == std::vector<std::string>{"x", "", ""});
  CHECK(filter.finish() == "\xEF\xBF\xBD");
}

TEST_CASE("A stop string that straddles tokens never leaks") {
  const Vocabulary vocabulary;
  StopFilter filter = filter_with(vocabulary, {"END"});
  CHECK(push_bytes(filter, "the EN") == std::vector<std::string>{"t", "h", "e", " ", "", ""});
  CHECK_FALSE(filter.stopped());
  CHECK(filter.push('D').empty());
  CHECK(filter.stopped());
  CHECK(filter.push('x').empty());
  CHECK(filter.finish().empty());
}

TEST_CASE("What only looked like a stop string is shown after all") {
  const Vocabulary vocabulary;
  StopFilter filter = filter_with(vocabulary, {"END"});
  CHECK(push_bytes(filter, "EEN") == std::vector<std::string>{"", "E", ""});
  CHECK(filter.push('!') == "EN!");
  CHECK(push_bytes(filter, "EN") == std::vector<std::string>{"", ""});
  CHECK(filter.finish() == "EN");
  CHECK_FALSE(filter.stopped());
}

TEST_CASE("A stop inside one token cuts it; the earliest of several wins") {
  const Vocabulary vocabulary;
  StopFilter filter = filter_with(vocabulary, {"lo", "el", "xyz"});
  CHECK(filter.push(ChatVocabulary::kHello) == "h");
  CHECK(filter.stopped());
}

TEST_CASE("A stop of several characters is found where it begins again within itself") {
  const Vocabulary vocabulary;
  StopFilter filter = filter_with(vocabulary, {"aab"});
  std::string shown;
  for (const std::string& piece : push_bytes(filter, "aaab")) shown += piece;
  CHECK(shown == "a");
  CHECK(filter.stopped());
}

TEST_CASE("A stop that ends with the last, unfinished character is met at the end") {
  const Vocabulary vocabulary;
  StopFilter filter = filter_with(vocabulary, {"\xEF\xBF\xBD"});
  CHECK(push_bytes(filter, "a\xC3") == std::vector<std::string>{"a", ""});
  CHECK(filter.finish().empty());
  CHECK(filter.stopped());
}

TEST_CASE("A prompt's unfinished character is completed by the answer") {
  const Vocabulary vocabulary;
  StopFilter filter = filter_with(vocabulary, {});
  const std::vector<TokenId> prompt = {'a', 0xC3};
  filter.prime(prompt);
  CHECK(filter.push(0xA9) == "é");
}

TEST_CASE("However text is cut into tokens and whatever the stops, none is ever shown") {
  const Vocabulary vocabulary;
  std::uint32_t state = 1;
  const auto draw = [&](std::uint32_t n) {
    state = state * 1664525 + 1013904223;
    return (state >> 16) % n;
  };
  // Few letters, so that stops begin again within themselves; tokens of one to five of them.
  const std::vector<std::pair<TokenId, std::string>> tokens = {{'h', "h"},    {'e', "e"},    {'l', "l"},
                                                               {'o', "o"},    {256, "he"},   {257, "ll"},
                                                               {258, "hell"}, {259, "hello"}};
  int stopped = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::vector<std::string> stops;
    for (std::uint32_t i = 0; i < 1 + draw(3); ++i) {
      std::string stop;
      for (std::uint32_t n = 0; n < 1 + draw(3); ++n) stop += tokens[draw(8)].second;
      stops.push_back(stop);
    }
    StopFilter filter = filter_with(vocabulary, stops);
    std::string whole, shown;
    std::size_t cut = std::string::npos;
    for (int i = 0; i < 12 && cut == std::string::npos; ++i) {
      const auto& [id, text] = tokens[draw(8)];
      whole += text;
      for (const std::string& stop : stops) cut = std::min(cut, whole.find(stop));
      shown += filter.push(id);
      CHECK(shown == whole.substr(0, shown.size()));
      for (const std::string& stop : stops) CHECK(shown.find(stop) == std::string::npos);
      CHECK(filter.stopped() == (cut != std::string::npos));
    }
    if (cut == std::string::npos) {
      CHECK(shown + filter.finish() == whole);
      continue;
    }
    CHECK(shown + filter.finish() == whole.substr(0, cut));
    ++stopped;
  }
  CHECK(stopped > 1000);
}

TEST_CASE("An empty stop string is refused") {
  const Vocabulary vocabulary;
  const auto filter = StopFilter::create(*vocabulary, {"a", ""});
  REQUIRE_FALSE(filter);
  CHECK(filter.error().code == ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace partita::internal::testing
