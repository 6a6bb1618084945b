// Banned strings: never in an answer, and nothing masked that would not have completed one.
#include <algorithm>
#include <memory>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

using Ids = std::vector<std::int32_t>;
using Texts = std::vector<std::string>;

/// Tokens of up to four letters; some without any.
class SmallVocabulary : public Vocabulary {
 public:
  explicit SmallVocabulary(Texts texts) : texts_(std::move(texts)) {}
  SmallVocabulary(std::uint64_t seed, std::size_t size, std::size_t letters) : texts_(size) {
    for (std::size_t i = 0; i < size; ++i) {
      const std::uint64_t bits = splitmix64(seed * 1000 + i);
      for (std::size_t j = 0; j < bits % 5; ++j) {
        texts_[i] += static_cast<char>('a' + (bits >> (8 + 8 * j)) % letters);
      }
    }
  }
  std::size_t size() const override { return texts_.size(); }
  std::string_view text(std::int32_t id) const override { return texts_[static_cast<std::size_t>(id)]; }
  std::span<const std::int32_t> ends() const override { return {}; }

 private:
  Texts texts_;
};

/// Whether `text` added to `said` completes a banned string.
bool completes(const std::string& said, std::string_view text, const Texts& banned) {
  const std::string whole = said + std::string(text);
  return std::any_of(banned.begin(), banned.end(), [&](const std::string& b) {
    for (std::size_t at = whole.find(b); at != std::string::npos; at = whole.find(b, at + 1)) {
      if (at + b.size() > said.size()) return true;
    }
    return false;
  });
}

TEST_CASE("Answers never contain a banned string, and nothing else is forbidden", "[slow]") {
  Candidates scratch;
  std::size_t masked = 0, across = 0, stuck = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const std::size_t letters = 2 + seed % 3;
    const SmallVocabulary vocabulary(seed, 5 + seed % 150, letters);
    Texts banned;
    for (std::size_t i = 0; i < 1 + seed % 5; ++i) {
      const std::uint64_t bits = splitmix64(seed * 77 + i);
      banned.emplace_back();
      for (std::size_t j = 0; j < 2 + bits % 5; ++j) {
        banned.back() += static_cast<char>('a' + (bits >> (8 + 8 * j)) % letters);
      }
    }
    const Result<Chain> chain = Chain::create({{"banned_strings", banned}}, &vocabulary);
    REQUIRE(chain);
    Ids history = {0, 1, 2};  // a prompt, whose text does not count
    std::string said;
    std::vector<float> p(vocabulary.size());
    for (std::uint64_t step = 0; step < 30; ++step) {
      const StageContext context{history, 3, {seed, 0, step}, &exact_kernels()};
      const std::vector<float> logits = row("normal", seed + step, vocabulary.size());
      const Result<void> done = chain->distribution(logits, context, nullptr, scratch, p);
      std::size_t left = 0;
      for (std::size_t i = 0; i < p.size(); ++i) {
        const std::string_view text = vocabulary.text(static_cast<std::int32_t>(i));
        const bool bad = completes(said, text, banned);
        left += bad ? 0 : 1;
        masked += bad ? 1 : 0;
        across += bad && !completes("", text, banned) ? 1 : 0;
        CAPTURE(seed, step, said, text);
        if (done) CHECK((p[i] > 0) != bad);
      }
      if (!done) {
        CHECK(left == 0);
        CHECK(done.error().message.find("banned_strings of ") == 0);
        ++stuck;
        break;
      }
      const Result<Choice> choice = chain->choose(logits, context, nullptr, scratch);
      history.push_back(choice->id);
      said += vocabulary.text(choice->id);
      for (const std::string& b : banned) REQUIRE(said.find(b) == std::string::npos);
    }
  }
  CHECK(masked > 10000);
  CHECK(across > 1000);  // the cases that the test is about did occur
  CHECK(stuck > 0);
}

TEST_CASE("A banned string is seen across tokens without a text, and before its last letter") {
  const SmallVocabulary vocabulary({"f", "o", "oo", "ood", "", "fo", "\xc3", "\xa9", "od"});
  const auto left = [&](const Texts& banned, const Ids& generated) {
    const std::vector<float> logits(vocabulary.size(), 0);
    std::vector<float> p(logits.size());
    Candidates scratch;
    REQUIRE(Chain::create({{"banned_strings", banned}}, &vocabulary)
                ->distribution(logits, {generated, 0, {}, &exact_kernels()}, nullptr, scratch, p));
    return support_of(p);
  };
  CHECK(left({"food"}, {0, 4, 1}) == Ids{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(left({"food"}, {0, 4}) == Ids{0, 1, 2, 4, 5, 6, 7, 8});
  CHECK(left({"foo", "food"}, {5}) == Ids{0, 4, 5, 6, 7});
  CHECK(left({"\xc3\xa9"}, {6}) == Ids{0, 1, 2, 3, 4, 5, 6, 8});
  CHECK(left({"food"}, {0, 4, 1, 77, -1}) == Ids{0, 1, 2, 3, 4, 5, 6, 7});  // ids of no known text
}

TEST_CASE("Rows longer than the vocabulary, and chains without one") {
  const SmallVocabulary vocabulary({"a", "b"});
  const std::vector<float> logits(70, 0);
  std::vector<float> p(logits.size());
  Candidates scratch;
  const SamplingOptions options{{"banned_strings", Texts{"a"}}};
  REQUIRE(Chain::create(options, &vocabulary)
              ->distribution(logits, {{}, 0, {}, &exact_kernels()}, nullptr, scratch, p));
  CHECK(support_of(p).size() == 69);
  REQUIRE(Chain::create(options)->distribution(logits, {{}, 0, {}, &exact_kernels()}, nullptr, scratch, p));
  CHECK(support_of(p).size() == 70);
}

TEST_CASE("Long and many banned strings neither take long nor much memory") {
  const SyntheticVocabulary vocabulary(1000);
  Texts many;
  for (std::size_t i = 0; i < 8000; ++i) many.push_back("ab" + std::to_string(i));
  for (const Texts& banned : {Texts{std::string(65536, 'a')}, many}) {
    const Result<Chain> chain = Chain::create({{"banned_strings", banned}}, &vocabulary);
    REQUIRE(chain);
    const Ids history(70000, 0);
    Candidates scratch;
    CHECK(chain->choose(row("normal", 1, 1000), {history, 0, {}, &exact_kernels()}, nullptr, scratch));
  }
}

}  // namespace
}  // namespace partita::internal::test
