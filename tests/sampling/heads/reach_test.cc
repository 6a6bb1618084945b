// What Chain::reach() says of a chain: that the rest of the row may as well be masked.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "sampling/chain/chain.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::test {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

/// The row with all that the reach leaves out masked.
std::vector<float> within(const std::vector<float>& row, const Reach& reach) {
  std::vector<float> sorted = row;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const double least = reach.kind == Reach::kNear
                           ? static_cast<double>(sorted.front()) - reach.distance * (1 + 1e-9)
                           : static_cast<double>(sorted[std::min(reach.count, sorted.size()) - 1]);
  std::vector<float> out = row;
  for (float& v : out) {
    if (static_cast<double>(v) < least) v = kBanned;
  }
  return out;
}

/// Its likeliest ids, every third of them twice.
std::vector<std::int32_t> likeliest(const std::vector<float>& row, std::size_t n) {
  std::vector<std::int32_t> ids(row.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](std::int32_t a, std::int32_t b) {
    return row[static_cast<std::size_t>(a)] > row[static_cast<std::size_t>(b)];
  });
  ids.resize(n);
  for (std::size_t i = 0; i < n; i += 3) ids.push_back(ids[i]);
  return ids;
}

TEST_CASE("What a chain does not reach can be masked, whatever penalties lower") {
  struct Case {
    SamplingOptions options;
    Reach::Kind kind;  // with a history
    std::vector<std::string> samplers = {};
  };
  const Case cases[] = {
      {{{"temperature", 0}}, Reach::kLargest},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}}, Reach::kLargest},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}, {"top_p", 0.6}, {"min_p", 0.1}}, Reach::kLargest},
      {{{"temperature", 0}, {"presence_penalty", 3}, {"frequency_penalty", 1}}, Reach::kLargest},
      {{{"temperature", 0}, {"repeat_penalty", 1.2}, {"presence_penalty", 1}}, Reach::kLargest},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}, {"penalty_last_n", 5}}, Reach::kLargest},
      {{{"temperature", 0.8}, {"repeat_penalty", 1.5}, {"top_k", 7}}, Reach::kLargest},
      {{{"temperature", 2}, {"frequency_penalty", 2}, {"top_k", 7}, {"top_p", 0.9}}, Reach::kLargest},
      {{{"temperature", 2}, {"repeat_penalty", 1.5}, {"top_k", 7}},
       Reach::kLargest,
       {"temperature", "top_k", "repeat_penalty"}},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}, {"top_k", 7}},
       Reach::kLargest,
       {"top_k", "repeat_penalty"}},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}, {"min_p", 0.2}},
       Reach::kNear,
       {"min_p", "repeat_penalty"}},
      {{{"temperature", 0.7}, {"repeat_penalty", 1.5}, {"min_p", 0.2}},
       Reach::kNear,
       {"temperature", "min_p", "repeat_penalty"}},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}, {"top_p", 0.9}},
       Reach::kAll,
       {"top_p", "repeat_penalty"}},
      {{{"temperature", 0}, {"logit_bias", TokenBiases{{3, -1.5F}, {70, kBanned}, {170, 0.0F}}}},
       Reach::kLargest},
      {{{"temperature", 0}, {"logit_bias", TokenBiases{{3, -1.5F}, {70, 0.5F}}}}, Reach::kAll},
      {{{"temperature", 0}, {"repeat_penalty", 0.9}}, Reach::kAll},
      {{{"temperature", 0}, {"presence_penalty", -1}}, Reach::kAll},
      {{{"temperature", 0.8}, {"repeat_penalty", 1.5}}, Reach::kAll},
      {{{"temperature", 0.8}, {"repeat_penalty", 1.5}, {"top_p", 0.9}}, Reach::kAll},
      {{{"temperature", 0.8}, {"repeat_penalty", 1.5}, {"min_p", 0.1}}, Reach::kAll}};
  const Kernels& kernels = *all_kernels().front().kernels;
  for (const Case& c : cases) {
    SamplingOptions options = c.options;
    if (!c.samplers.empty()) options.samplers = c.samplers;
    const Chain chain = *Chain::create(options);
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      std::vector<float> logits = row("normal", seed, 400);
      for (float& v : logits) v = std::round(v * 8) / 8;  // many are alike
      const std::vector<std::int32_t> said = likeliest(logits, 1 + seed);
      const StageContext context{said, seed % 3, {seed, 1, 2}, &kernels};
      const Reach reach = chain.reach(context);
      CAPTURE(chain.describe(), seed, reach.count);
      REQUIRE(reach.kind == c.kind);
      if (reach.kind == Reach::kAll) continue;
      const std::vector<float> part = within(logits, reach);
      Candidates scratch;
      const Result<Choice> whole = chain.choose(logits, context, nullptr, scratch);
      const Result<Choice> few = chain.choose(part, context, nullptr, scratch);
      REQUIRE(whole);
      REQUIRE(few);
      CHECK(whole->id == few->id);
    }
  }
}

TEST_CASE("Penalties make no room for what was not said") {
  const Chain chain = *Chain::create({{"temperature", 0}, {"repeat_penalty", 1.5}, {"presence_penalty", 1}});
  const std::vector<std::int32_t> said = {1, 2, 3, 4};
  CHECK(chain.reach({}).count == 1);
  CHECK(chain.reach({said, 0, {}}).count == 9);  // both look at all four
  CHECK(chain.reach({said, 3, {}}).count == 6);  // the other one at what was generated
  CHECK(chain.reach({said, 3, {}}).lowered == 5);
}

}  // namespace
}  // namespace partita::test
