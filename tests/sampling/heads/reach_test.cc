// Chain::logits_needed(): masking all other logits of the row does not change the choice.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

/// The row with all logits masked that the chain does not need.
std::vector<float> within(const std::vector<float>& row, const LogitsNeeded& needed) {
  std::vector<float> sorted = row;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const double least = needed.kind == LogitsNeeded::kNear
                           ? static_cast<double>(sorted.front()) - needed.distance * (1 + 1e-9)
                           : static_cast<double>(sorted[std::min(needed.count, sorted.size()) - 1]);
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

TEST_CASE("Logits that a chain does not need can be masked, whatever penalties lower") {
  struct Case {
    SamplingOptions options;
    LogitsNeeded::Kind kind;  // with a history
    std::vector<std::string> samplers = {};
  };
  const Case cases[] = {
      {{{"temperature", 0}}, LogitsNeeded::kLargest},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}}, LogitsNeeded::kLargest},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}, {"top_p", 0.6}, {"min_p", 0.1}}, LogitsNeeded::kLargest},
      {{{"temperature", 0}, {"presence_penalty", 3}, {"frequency_penalty", 1}}, LogitsNeeded::kLargest},
      {{{"temperature", 0}, {"repeat_penalty", 1.2}, {"presence_penalty", 1}}, LogitsNeeded::kLargest},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}, {"penalty_last_n", 5}}, LogitsNeeded::kLargest},
      {{{"temperature", 0.8}, {"repeat_penalty", 1.5}, {"top_k", 7}}, LogitsNeeded::kLargest},
      {{{"temperature", 2}, {"frequency_penalty", 2}, {"top_k", 7}, {"top_p", 0.9}}, LogitsNeeded::kLargest},
      {{{"temperature", 2}, {"repeat_penalty", 1.5}, {"top_k", 7}},
       LogitsNeeded::kLargest,
       {"temperature", "top_k", "repeat_penalty"}},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}, {"top_k", 7}},
       LogitsNeeded::kLargest,
       {"top_k", "repeat_penalty"}},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}, {"min_p", 0.2}},
       LogitsNeeded::kNear,
       {"min_p", "repeat_penalty"}},
      {{{"temperature", 0.7}, {"repeat_penalty", 1.5}, {"min_p", 0.2}},
       LogitsNeeded::kNear,
       {"temperature", "min_p", "repeat_penalty"}},
      {{{"temperature", 0}, {"repeat_penalty", 1.5}, {"top_p", 0.9}},
       LogitsNeeded::kAll,
       {"top_p", "repeat_penalty"}},
      {{{"temperature", 0}, {"logit_bias", TokenBiases{{3, -1.5F}, {70, kBanned}, {170, 0.0F}}}},
       LogitsNeeded::kLargest},
      {{{"temperature", 0}, {"logit_bias", TokenBiases{{3, -1.5F}, {70, 0.5F}}}}, LogitsNeeded::kAll},
      {{{"temperature", 0}, {"repeat_penalty", 0.9}}, LogitsNeeded::kAll},
      {{{"temperature", 0}, {"presence_penalty", -1}}, LogitsNeeded::kAll},
      {{{"temperature", 0.8}, {"repeat_penalty", 1.5}}, LogitsNeeded::kAll},
      {{{"temperature", 0.8}, {"repeat_penalty", 1.5}, {"top_p", 0.9}}, LogitsNeeded::kAll},
      {{{"temperature", 0.8}, {"repeat_penalty", 1.5}, {"min_p", 0.1}}, LogitsNeeded::kAll}};
  const Kernels& kernels = *all_kernels().front().kernels;
  for (const Case& c : cases) {
    SamplingOptions options = c.options;
    if (!c.samplers.empty()) options.samplers = c.samplers;
    const Chain chain = *Chain::create(options);
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      std::vector<float> logits = row("normal", seed, 400);
      for (float& v : logits) v = std::round(v * 8) / 8;  // with many ties
      const std::vector<std::int32_t> said = likeliest(logits, 1 + seed);
      const StageContext context{said, seed % 3, {seed, 1, 2}, &kernels};
      const LogitsNeeded needed = chain.logits_needed(context);
      CAPTURE(chain.describe(), seed, needed.count);
      REQUIRE(needed.kind == c.kind);
      if (needed.kind == LogitsNeeded::kAll) continue;
      const std::vector<float> part = within(logits, needed);
      Candidates scratch;
      const Result<Choice> whole = chain.choose(logits, context, nullptr, scratch);
      const Result<Choice> few = chain.choose(part, context, nullptr, scratch);
      REQUIRE(whole);
      REQUIRE(few);
      CHECK(whole->id == few->id);
    }
  }
}

TEST_CASE("Penalties only need more logits for ids in the history") {
  const Chain chain = *Chain::create({{"temperature", 0}, {"repeat_penalty", 1.5}, {"presence_penalty", 1}});
  const std::vector<std::int32_t> said = {1, 2, 3, 4};
  CHECK(chain.logits_needed({}).count == 1);
  CHECK(chain.logits_needed({said, 0, {}}).count == 9);  // both penalties use all four ids
  CHECK(chain.logits_needed({said, 3, {}}).count == 6);  // the presence penalty uses the generated id
  CHECK(chain.logits_needed({said, 3, {}}).lowered == 5);
}

}  // namespace
}  // namespace partita::internal::test
