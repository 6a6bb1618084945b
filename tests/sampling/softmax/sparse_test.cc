// Sparsemax and entmax against the entmax package in float64.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "sampling/softmax/softmax.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"
#include "tests/sanitized.h"

namespace partita::internal::test {
namespace {

using Json = nlohmann::json;
constexpr double kMinNormal = std::numeric_limits<float>::min();

bool close(float x, double expected) {
  return std::abs(static_cast<double>(x) - expected) <= 1e-6 * expected + (expected < kMinNormal ? 1e-44 : 0);
}

/// Whether a distribution is the one recorded: [size, digest of the ids, p of the likeliest, the middle, the
/// least].
bool same(const Json& record, std::span<const float> logits, std::span<const float> p,
          const SparseSupport& support) {
  std::vector<std::size_t> ids;
  std::uint64_t digest = 0;
  double sum = 0;
  std::size_t likeliest = 0, least = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!support.holds(logits[i])) {
      if (p[i] != 0) return false;
      continue;
    }
    if (ids.empty()) likeliest = least = i;
    ids.push_back(i);
    digest += splitmix64(i);
    sum += static_cast<double>(p[i]);
    if (p[i] > p[likeliest]) likeliest = i;
    if (logits[i] < logits[least]) least = i;
  }
  return support.size == ids.size() && ids.size() == record[0].get<std::size_t>() &&
         (digest & 0xFFFFFFFF) == record[1].get<std::uint64_t>() && std::abs(sum - 1) < 2e-7 &&
         close(p[likeliest], record[2]) && close(p[ids[ids.size() / 2]], record[3]) &&
         close(p[least], record[4]);
}

TEST_CASE("Sparsemax and 1.5-entmax of a thousand rows of each size are those of the entmax package",
          "[slow]") {
  const Json records[] = {Json::parse(read_data("sampling/sparsemax.json"))["vocabularies"],
                          Json::parse(read_data("sampling/entmax15.json"))["vocabularies"]};
  constexpr double kAlphas[] = {2, 1.5};
  constexpr std::string_view kKinds[] = {"normal", "peaked", "ties", "masked"};
  REQUIRE(records[0].size() == 4);
  for (std::size_t v = 0; v < 4; ++v) {
    const std::size_t vocab = records[0][v]["vocab"];
    const std::vector<std::uint64_t> skipped = records[0][v]["skipped"];
    REQUIRE(records[0][v]["rows"].size() == 1000);
    std::vector<float> p(vocab);
    std::uint64_t seed = 0;
    for (std::size_t r = 0; r < all_or<std::size_t>(1000, 100); ++r) {
      do ++seed;
      while (std::find(skipped.begin(), skipped.end(), seed) != skipped.end());
      const std::vector<float> logits = row(kKinds[seed % 4], seed, vocab);
      for (std::size_t a = 0; a < 2; ++a) {
        std::fill(p.begin(), p.end(), kNan);
        const Result<SparseSupport> support = entmax(logits, kAlphas[a], p);
        CAPTURE(vocab, seed, kAlphas[a]);
        REQUIRE(support);
        if (!same(records[a][v]["rows"][r], logits, p, *support)) FAIL_CHECK("another distribution");
      }
    }
  }
}

TEST_CASE("Entmax of other alphas is that of the entmax package, under every table", "[slow]") {
  const Json oracle = Json::parse(read_data("sampling/entmax.json"))["rows"];
  REQUIRE(oracle.size() > 1000);
  for (const Json& record : oracle) {
    const std::size_t vocab = record["vocab"];
    std::vector<float> logits = row(record["kind"].get<std::string>(), record["seed"], vocab), first;
    for (const NamedKernels& k : all_kernels()) {
      if (vocab > 1000 && !first.empty()) continue;
      std::vector<float> p = logits;  // in place
      const Result<SparseSupport> support = entmax(p, record["alpha"], p, *k.kernels);
      CAPTURE(k.name, record["alpha"].get<double>(), record["kind"].get<std::string>(), vocab);
      REQUIRE(support);
      if (!same(record["row"], logits, p, *support)) FAIL_CHECK("another distribution");
      if (first.empty()) first = p;
      CHECK(p == first);
    }
  }
}

/// The sum of entmax before it is rounded, for a threshold: 1 within rounding where it is right.
double sum_of(std::span<const float> logits, double alpha, const SparseSupport& support) {
  double sum = 0;
  for (const float x : logits) {
    if (!support.holds(x)) continue;
    const double depth = static_cast<double>(x) - static_cast<double>(support.max);
    sum += std::pow((alpha - 1) * (depth - support.threshold), 1 / (alpha - 1));
  }
  return sum;
}

TEST_CASE("For any alpha the threshold makes the sum one, and the larger alpha, the smaller the support") {
  for (const std::string_view kind : {"normal", "peaked", "ties", "equal", "masked"}) {
    for (const std::size_t vocab : {1U, 2U, 17U, 300U, 5000U}) {
      const std::vector<float> logits = row(kind, 8, vocab);
      std::vector<float> p(vocab);
      if (!log_sum_exp(logits)) continue;  // the one entry is masked
      std::size_t before = vocab;
      for (const double alpha : {1.01, 1.1, 1.3, 1.5, 1.9, 2.0, 2.1, 3.0, 5.0, 10.0, 32.0}) {
        CAPTURE(kind, vocab, alpha);
        const Result<SparseSupport> support = entmax(logits, alpha, p);
        REQUIRE(support);
        CHECK(std::abs(sum_of(logits, alpha, *support) - 1) < 1e-9);
        CHECK(support->size <= before);
        CHECK(support->size >= 1);
        before = support->size;
        double sum = 0;
        for (const float x : p) sum += static_cast<double>(x);
        CHECK(std::abs(sum - 1) < 2e-7);
      }
    }
  }
}

TEST_CASE("Alpha 1 is softmax, and alpha near 1 is near it") {
  const std::vector<float> logits = row("masked", 2, 3000);
  std::vector<float> expected(3000), p(3000);
  REQUIRE(softmax(logits, expected));
  const Result<SparseSupport> one = entmax(logits, 1, p);
  REQUIRE(one);
  CHECK(p == expected);
  CHECK(one->threshold == -kInf);
  CHECK(one->size ==
        static_cast<std::size_t>(std::count_if(p.begin(), p.end(), [](float x) { return x > 0; })));
  for (const double near : {0x1p-52, 1e-12, 1e-9}) {
    REQUIRE(entmax(logits, 1 + near, p)->size == one->size);
    for (std::size_t i = 0; i < p.size(); ++i) REQUIRE(p[i] == Approx(expected[i]).epsilon(5e-6));
  }
}

TEST_CASE("Ids on the threshold itself are outside") {
  std::vector<float> p(2);
  const Result<SparseSupport> two = sparsemax(std::vector<float>{1, 0}, p);
  CHECK(two->size == 1);
  CHECK(two->threshold == -1);
  CHECK(p == std::vector<float>{1, 0});
  CHECK(sparsemax(std::vector<float>{1, 0x1p-20F}, p)->size == 2);
  CHECK(p == std::vector<float>{1 - 0x1p-21F, 0x1p-21F});
  // 1.5-entmax: 16 at the maximum, each (1/4)^2; those half a unit below are exactly at the threshold.
  for (const std::size_t below : {0U, 1U, 4U, 5U, 1000U}) {
    std::vector<float> logits(16 + below, 6.5F), out(16 + below);
    std::fill_n(logits.begin(), 16, 7.0F);
    const Result<SparseSupport> support = entmax(logits, 1.5, out);
    CHECK(support->size == 16);
    CHECK(support->threshold == -0.5);
    CHECK(out[0] == 0.0625F);
  }
  // Sparsemax: 4 at the maximum, a quarter each, any number of them a quarter below.
  for (const std::size_t below : {1U, 3U, 7U, 5000U}) {
    std::vector<float> logits(4 + below, -0.25F), out(4 + below);
    std::fill_n(logits.begin(), 4, 0.0F);
    CHECK(sparsemax(logits, out)->size == 4);
    CHECK(out[3] == 0.25F);
    CHECK(out[4] == 0);
  }
}

TEST_CASE("Edges of floats: large logits, masks, one entry, far outliers") {
  for (const double alpha : {1.0, 1.001, 1.5, 1.7, 2.0, 4.0, 32.0}) {
    CAPTURE(alpha);
    std::vector<float> p(4, kNan);
    CHECK(entmax(std::vector<float>{1e30F, -1e30F, 0, 3e38F}, alpha, p)->max == 3e38F);
    CHECK(p == std::vector<float>{0, 0, 0, 1});
    const auto masked = entmax(std::vector<float>{-kInf, -5, -kInf, -5}, alpha, p);
    CHECK(masked->size == 2);
    CHECK(p[1] == Approx(0.5).epsilon(1e-12));
    CHECK(p[0] == 0);
    CHECK(entmax(std::vector<float>{1e4F, 1e4F, 1e4F - 5000, -1e4F}, alpha, p)->holds(1e4F));
    CHECK(p[1] == Approx(0.5).epsilon(1e-12));
    std::vector<float> one(1, kNan);
    CHECK(entmax(std::vector<float>{-3}, alpha, one)->size == 1);
    CHECK(one[0] == 1);
    std::vector<float> many(100000, 1e-45F), out(100000, kNan);  // all equal, more than fit
    CHECK(entmax(many, alpha, out)->size == many.size());
    CHECK(out.front() == Approx(1e-5).epsilon(1e-7));
    CHECK(out.back() == out.front());
  }
}

TEST_CASE("What entmax refuses") {
  std::vector<float> out(2);
  for (const double alpha : {0.999, 0.0, -1.0, 32.5, static_cast<double>(kNan), static_cast<double>(kInf)}) {
    CHECK(entmax(std::vector<float>{1, 2}, alpha, out).error().code == ErrorCode::kInvalidArgument);
  }
  CHECK(entmax(std::vector<float>{1, 2}, 0.5, out).error().message ==
        "alpha is 0.5, but entmax takes 1 (softmax) to 32");
  for (const double alpha : {1.0, 1.5, 2.0, 3.0}) {
    CHECK(entmax(std::vector<float>{1, kNan}, alpha, out).error().code == ErrorCode::kBadNumbers);
    CHECK(entmax(std::vector<float>{kInf, 1}, alpha, out)
              .error()
              .message.rfind("the logit of id 0 is inf", 0) == 0);
    CHECK(entmax(std::vector<float>{-kInf, -kInf}, alpha, out).error().code == ErrorCode::kBadNumbers);
    CHECK(entmax({}, alpha, {}).error().code == ErrorCode::kBadNumbers);
    CHECK(entmax(std::vector<float>{1, 2, 3}, alpha, out).error().code == ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace partita::internal::test
