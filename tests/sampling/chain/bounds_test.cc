// Filters at their bounds: the last float that stays and the first that goes.
#include <cmath>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "sampling/heads/row_answer.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

std::vector<std::int32_t> kept(const SamplingOptions& options, const std::vector<float>& logits) {
  const Result<Chain> chain = Chain::create(options);
  REQUIRE(chain);
  Candidates scratch;
  std::vector<float> p(logits.size());
  REQUIRE(chain->distribution(logits, {{}, 0, {}, &exact_kernels()}, nullptr, scratch, p));
  return support_of(p);
}

using Ids = std::vector<std::int32_t>;

TEST_CASE("Min-p keeps a logit at its bound and drops the next float below") {
  for (const float p : {0.9F, 0.5F, 0.25F, 0.1F, 0.05F, 0.01F, 1e-3F}) {
    for (const float temperature : {1.0F, 0.5F, 0.7F, 2.0F}) {
      for (const float most : {0.0F, 3.5F, -20.0F}) {
        const double bound =
            static_cast<double>(most) + std::log(static_cast<double>(p)) * static_cast<double>(temperature);
        auto at = static_cast<float>(bound);  // the least float that is not below it
        if (static_cast<double>(at) < bound) at = std::nextafter(at, kInf);
        const float below = std::nextafter(at, -kInf);
        CAPTURE(p, temperature, most, bound);
        const SamplingOptions options{{"temperature", temperature}, {"min_p", p}};
        CHECK(kept(options, {most, below, at, at, below}) == Ids{0, 2, 3});
      }
    }
  }
  CHECK(kept({{"min_p", 1}}, {2, 2, std::nextafter(2.0F, 0.0F)}) == Ids{0, 1});
}

TEST_CASE("Among the likeliest ids the lower id of a tie comes first, and -inf is not one of them") {
  std::vector<float> logits = {1, 2, 2, -kInf, 2, 1};
  Question question;
  Candidates scratch;
  const auto ids = [&](int top) {
    question.top = top;
    const auto answer = answer_row(question, logits, logits, exact_kernels(), scratch);
    REQUIRE(answer);
    Ids out;
    for (const auto& [id, logprob] : answer->top) out.push_back(id);
    return out;
  };
  CHECK(ids(2) == Ids{1, 2});
  CHECK(ids(4) == Ids{1, 2, 4, 0});
  CHECK(ids(6) == Ids{1, 2, 4, 0, 5});
}

TEST_CASE("Min-p needs the logits within a distance of the largest") {
  const auto distance = [](double temperature, double p) {
    const LogitsNeeded needed =
        Chain::create({{"temperature", temperature}, {"min_p", p}})->logits_needed({});
    CHECK(needed.kind == LogitsNeeded::kNear);
    return needed.distance;
  };
  CHECK(distance(1, 0.5) == Approx(std::log(2.0)));
  CHECK(distance(2, 0.5) >= 2 * std::log(2.0));
  CHECK(distance(2, 0.5) == Approx(2 * std::log(2.0)));
  CHECK(distance(0.5, 0.25) == Approx(std::log(2.0)));
}

}  // namespace
}  // namespace partita::internal::test
