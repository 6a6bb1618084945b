// DRY against its definition: repetitions found by trying all, breakers found in the whole text.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

using Ids = std::vector<std::int32_t>;

/// Tokens of none to three letters, so that breakers lie in one, across two or across many.
class Texts : public Vocabulary {
 public:
  std::size_t size() const override { return std::size(kTexts); }
  std::string_view text(std::int32_t id) const override { return kTexts[static_cast<std::size_t>(id)]; }
  std::span<const std::int32_t> ends() const override { return {}; }

 private:
  static constexpr std::string_view kTexts[] = {"a", "b", "ab", "", "x", "y", "bx", "yya", "xy", "ba"};
};

struct Numbers {
  double multiplier = 0.75, base = 1.25;
  std::size_t allowed = 2, last_n = 0;
};

/// How many ids at the end come after the last one in which a breaker ends.
std::size_t since_breaker(const Ids& history, const std::vector<std::string>& breakers) {
  std::string text;
  std::vector<std::size_t> ends;  // of each id's text
  for (const std::int32_t id : history) ends.push_back((text += Texts().text(id)).size());
  std::size_t since = history.size();
  for (std::size_t i = 0; i < history.size(); ++i) {
    const std::size_t begin = i == 0 ? 0 : ends[i - 1];
    for (const std::string& breaker : breakers) {
      for (std::size_t end = begin + 1; end <= ends[i]; ++end) {
        if (end >= breaker.size() && text.compare(end - breaker.size(), breaker.size(), breaker) == 0)
          since = history.size() - 1 - i;
      }
    }
  }
  return since;
}

/// The penalty of each id.
std::vector<double> penalties(const Ids& history, const std::vector<std::string>& breakers,
                              const Numbers& numbers) {
  const std::size_t first =
      numbers.last_n == 0 ? 0 : history.size() - std::min(numbers.last_n, history.size());
  const Ids ids(history.begin() + static_cast<std::ptrdiff_t>(first), history.end());
  const std::size_t most = since_breaker(history, breakers);
  std::vector<double> out(Texts().size(), 0.0);
  for (std::size_t at = 1; at < ids.size(); ++at) {  // where a candidate stands already
    std::size_t length = 0;
    while (length < at && ids[at - 1 - length] == ids[ids.size() - 1 - length]) ++length;
    if (length < numbers.allowed) continue;
    length = std::min(length, most);
    if (length < numbers.allowed) continue;
    const auto id = static_cast<std::size_t>(ids[at]);
    const std::string own(Texts().text(ids[at]));
    const auto holds = [&](const std::string& breaker) { return own.find(breaker) != std::string::npos; };
    if (std::any_of(breakers.begin(), breakers.end(), holds)) continue;
    const double penalty =
        numbers.multiplier * std::pow(numbers.base, static_cast<double>(length - numbers.allowed));
    out[id] = std::max(out[id], penalty);
  }
  return out;
}

std::vector<float> chosen_from(const Ids& history, const std::vector<std::string>& breakers,
                               const Numbers& numbers) {
  const Texts texts;
  SamplingOptions options{{"dry_multiplier", numbers.multiplier},
                          {"dry_base", numbers.base},
                          {"dry_allowed_length", static_cast<double>(numbers.allowed)},
                          {"dry_last_n", static_cast<double>(numbers.last_n)},
                          {"dry_sequence_breakers", breakers}};
  const Result<Chain> chain = Chain::create(options, &texts);
  REQUIRE(chain);
  Candidates scratch;
  std::vector<float> p(texts.size());
  REQUIRE(chain->distribution(std::vector<float>(texts.size(), 0.0F), {history, 0, {}, &exact_kernels()},
                              nullptr, scratch, p));
  return p;
}

TEST_CASE("A breaker that begins in one token and ends in the next stops a repetition") {
  const std::vector<std::string> breakers = {"xy"};
  // a b a b: "a" would go on with a repetition of two.
  CHECK(penalties({0, 1, 0, 1}, breakers, {})[0] == 0.75);
  const std::vector<float> repeated = chosen_from({0, 1, 0, 1}, breakers, {});
  CHECK(repeated[0] / repeated[2] == Approx(std::exp(-0.75)));
  // b bx | y a b bx y: the breaker ends in the last token; what follows it counts anew.
  for (const Ids& history :
       {Ids{1, 6, 5, 1, 6, 5}, Ids{1, 6, 5, 0, 1, 6, 5, 0}, Ids{0, 1, 4, 5, 0, 1, 4, 5}}) {
    CHECK(since_breaker(history, breakers) < 2);
    const std::vector<float> p = chosen_from(history, breakers, {});
    for (const float one : p) CHECK(one == Approx(0.1));
  }
}

TEST_CASE("DRY takes from every logit what its definition says, whatever breakers lie across") {
  const std::vector<std::vector<std::string>> sets = {
      {""}, {"x"}, {"xy"}, {"bx", "yya"}, {"xyy"}, {"abxyya", "aa"}, {"bxyxya"}};
  std::size_t lowered = 0, stopped = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const auto random = [&](std::uint64_t i) { return splitmix64(seed * 100 + i); };
    const std::vector<std::string>& breakers = sets[seed % sets.size()];
    const std::vector<std::string> found = breakers[0].empty() ? std::vector<std::string>{} : breakers;
    Numbers numbers;
    numbers.allowed = random(0) % 4;
    numbers.last_n = random(1) % 3 == 0 ? 3 + random(2) % 12 : 0;
    // A few words over and over, so that there is much to repeat.
    Ids history;
    const std::size_t period = 2 + random(3) % 6;
    for (std::size_t i = 0; i < 24; ++i)
      history.push_back(
          static_cast<std::int32_t>(random(random(50 + i) % 8 == 0 ? 30 + i : 10 + i % period) % 10));
    const std::vector<double> expected = penalties(history, found, numbers);
    const std::vector<double> unbroken = penalties(history, {}, numbers);
    const std::vector<float> p = chosen_from(history, breakers, numbers);
    double sum = 0;
    for (const double penalty : expected) sum += std::exp(-penalty);
    CAPTURE(seed, breakers, numbers.allowed, numbers.last_n, history);
    for (std::size_t id = 0; id < p.size(); ++id) {
      REQUIRE(p[id] == Approx(std::exp(-expected[id]) / sum).epsilon(1e-5).margin(1e-30));
      lowered += expected[id] > 0 ? 1 : 0;
      stopped += expected[id] != unbroken[id] ? 1 : 0;
    }
  }
  CHECK(lowered > 1000);
  CHECK(stopped > 300);
}

}  // namespace
}  // namespace partita::internal::test
