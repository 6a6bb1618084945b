// Confidence and explanations against the plain formulas in double.
#include "sampling/chain/explain.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

/// Probabilities of softmax(x / temperature).
std::vector<double> plain_softmax(const std::vector<float>& x, double temperature = 1) {
  const double max = static_cast<double>(*std::max_element(x.begin(), x.end()));
  std::vector<double> p(x.size());
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    p[i] = std::exp((static_cast<double>(x[i]) - max) / temperature);
    sum += p[i];
  }
  for (double& value : p) value /= sum;
  return p;
}

double plain_entropy(const std::vector<double>& p) {
  double entropy = 0;
  for (const double value : p) entropy -= value > 0 ? value * std::log(value) : 0;
  return entropy;
}

bool close(float got, double expected) {
  return std::abs(static_cast<double>(got) - expected) <= 2e-6 * expected + 1e-9;
}

TEST_CASE("Confidence is the likeliest probability, its lead and the entropy") {
  for (const NamedKernels& k : all_kernels()) {
    Candidates scratch;
    for (const std::string_view kind : {"normal", "peaked", "ties", "equal", "masked"}) {
      for (const std::size_t vocab : {1U, 2U, 7U, 255U, 256U, 257U, 1000U, 49152U}) {
        std::vector<float> logits = row(kind, 5, vocab);
        logits[vocab / 2] = 1.5F;  // something is finite
        CAPTURE(k.name, kind, vocab);
        const Result<Confidence> sure = confidence(logits, *k.kernels, scratch);
        REQUIRE(sure);
        std::vector<double> p = plain_softmax(logits);
        const double entropy = plain_entropy(p);
        std::sort(p.rbegin(), p.rend());
        CHECK(close(sure->probability, p[0]));
        CHECK(std::abs(static_cast<double>(sure->margin) - (vocab > 1 ? p[0] - p[1] : 1)) < 2e-7);
        CHECK(std::abs(static_cast<double>(sure->entropy) - entropy) < 2e-6 * entropy + 1e-7);
      }
    }
    CHECK(confidence(std::vector<float>{0, std::nanf("")}, *k.kernels, scratch).error().code ==
          ErrorCode::kBadNumbers);
    CHECK_FALSE(confidence(std::vector<float>(9, -kInf), *k.kernels, scratch));
    const Result<Confidence> far = confidence(std::vector<float>{1e30F, -1e30F, -kInf}, *k.kernels, scratch);
    CHECK(far->probability == 1);
    CHECK(far->margin == 1);
    CHECK(far->entropy == 0);
  }
}

TEST_CASE("An explanation shows every stage and names the one that removed the runner-up") {
  const std::vector<float> logits = {2, -kInf, 3, 1, 3.5F, 0};  // 4, 2, 0, 3, 5
  const Result<Chain> chain = Chain::create({{"temperature", 0.5F}, {"top_k", 3}, {"top_p", 0.7F}});
  for (const NamedKernels& k : all_kernels()) {
    CAPTURE(k.name);
    Candidates scratch;
    Observer observer(2);
    const StageContext context{{}, 0, {}, k.kernels, &observer};
    const Result<Choice> seen = chain->choose(logits, context, nullptr, scratch);
    REQUIRE(seen);
    const Explanation e = observer.take();
    REQUIRE(e.views.size() == 4);
    CHECK(e.views[0].stage == "model");
    CHECK(e.views[0].candidates == 5);
    const std::vector<double> raw = plain_softmax(logits);
    CHECK(close(e.views[0].entropy, plain_entropy(raw)));
    REQUIRE(e.views[0].top.size() == 2);
    CHECK(e.views[0].top[0].first == 4);
    CHECK(close(e.views[0].top[0].second, raw[4]));
    CHECK(e.views[0].top[1].first == 2);
    CHECK(close(e.views[0].top[1].second, raw[2]));

    CHECK(e.views[1].stage == "temperature 0.5");
    CHECK(e.views[1].candidates == 5);
    const std::vector<double> cold = plain_softmax(logits, 0.5);
    CHECK(close(e.views[1].entropy, plain_entropy(cold)));
    CHECK(close(e.views[1].top[1].second, cold[2]));

    CHECK(e.views[2].stage == "top_k 3");
    CHECK(e.views[2].candidates == 3);
    const double three = cold[4] + cold[2] + cold[0];
    CHECK(close(e.views[2].top[0].second, cold[4] / three));

    // The likeliest alone has 0.71 of it.
    CHECK(e.views[3].stage == "top_p 0.7");
    CHECK(e.views[3].candidates == 1);
    CHECK(e.views[3].entropy == 0);
    CHECK(e.views[3].top == std::vector<std::pair<std::int32_t, float>>{{4, 1.0F}});
    CHECK(e.runner_up == 2);
    CHECK(e.removed_by == "top_p 0.7");

    // Looking changes nothing.
    const StageContext unseen{{}, 0, {}, k.kernels};
    CHECK(chain->choose(logits, unseen, nullptr, scratch)->id == seen->id);
  }
}

TEST_CASE("A runner-up that stays has no remover, and a lone candidate no runner-up") {
  Candidates scratch;
  const Result<Chain> chain = Chain::create({{"top_k", 2}});
  for (const auto& [logits, runner_up] : std::vector<std::pair<std::vector<float>, std::int32_t>>{
           {{1, 1, 1}, 1}, {{-kInf, 7}, -1}, {{7}, -1}}) {
    Observer observer(5);
    REQUIRE(chain->choose(logits, {{}, 0, {}, &exact_kernels(), &observer}, nullptr, scratch));
    const Explanation e = observer.take();
    CHECK(e.runner_up == runner_up);
    CHECK(e.removed_by.empty());
  }
}

}  // namespace
}  // namespace partita::internal::test
