// Entropy, divergence, cross-entropy and its gradient against float64 PyTorch.
#include <cmath>
#include <nlohmann/json.hpp>

#include "sampling/softmax/softmax.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"
#include "tests/sanitized.h"

namespace partita::internal::test {
namespace {

using Json = nlohmann::json;

bool close(double x, double expected, double relative, double absolute = 0) {
  return std::abs(x - expected) <= relative * std::abs(expected) + absolute;
}

TEST_CASE("Divergences of whole rows are those of float64 PyTorch", "[slow]") {
  const Json oracle = Json::parse(read_data("sampling/divergences.json"));
  REQUIRE(oracle["rows"].size() == 20);
  for (const Json& record : oracle["rows"]) {
    const std::uint64_t seed = record["seed"];
    const std::size_t vocab = record["vocab"];
    const std::vector<float> logits = row(record["kind"].get<std::string>(), seed, vocab);
    const std::vector<float> other = row("normal", seed + 1, vocab);
    std::vector<float> near(vocab), out(vocab, kNan);
    for (std::size_t i = 0; i < vocab; ++i) {
      near[i] = static_cast<float>(static_cast<double>(logits[i]) + static_cast<double>(other[i]) / 64);
    }
    for (const NamedKernels& k : all_kernels()) {
      if (k.name == "exact") continue;  // the scalar table once more
      if (kSanitized && vocab > 49152) continue;
      CAPTURE(k.name, record["kind"].get<std::string>(), vocab);
      CHECK(close(log_partition(logits, *k.kernels)->log_sum_exp, record["lse"], 0, 3e-7));
      CHECK(close(*entropy(logits, *k.kernels), record["entropy"], 1e-6));
      CHECK(close(*kl_divergence(logits, other, *k.kernels), record["kl_other"], 2e-6));
      CHECK(close(*kl_divergence(logits, near, *k.kernels), record["kl_near"], 2e-6, 1e-13));
      CHECK(*kl_divergence(logits, logits, *k.kernels) == 0);
      for (const Json& of : record["targets"]) {
        const std::int32_t target = of["target"];
        CHECK(close(*cross_entropy(logits, target, *k.kernels), of["loss"], 1e-6));
        CHECK(*cross_entropy_gradient(logits, target, out, *k.kernels) ==
              *cross_entropy(logits, target, *k.kernels));
        double sum = 0;
        for (const float g : out) sum += static_cast<double>(g);
        CHECK(std::abs(sum) < 5e-7);
        for (const Json& pair : of["gradient"]) {
          CAPTURE(target, pair[0].get<int>());
          CHECK(close(static_cast<double>(out[pair[0]]), pair[1], 2.5e-6));
        }
      }
    }
  }
}

TEST_CASE("Small results keep their precision beside one dominant logit") {
  for (const NamedKernels& k : all_kernels()) {
    CAPTURE(k.name);
    // One other at depth d: p = exp(-d) in the limit.
    for (const float d : {20.0F, 40.0F, 80.0F}) {
      const std::vector<float> logits = {-kInf, 3, 3 - d};
      const double p = std::exp(-static_cast<double>(d));
      const double depth = static_cast<double>(d);
      CHECK(close(*cross_entropy(logits, 1, *k.kernels), std::log1p(p), 1e-6));
      CHECK(close(*cross_entropy(logits, 2, *k.kernels), depth + std::log1p(p), 1e-12));
      CHECK(close(*entropy(logits, *k.kernels), std::log1p(p) + depth * p / (1 + p), 1e-6));
      std::vector<float> gradient = logits;  // in place
      CHECK(cross_entropy_gradient(gradient, 1, gradient, *k.kernels));
      CHECK(gradient[0] == 0);
      CHECK(close(static_cast<double>(gradient[1]), -p / (1 + p), 1e-6));
      CHECK(close(static_cast<double>(gradient[2]), p / (1 + p), 1e-6));
    }
    // Depths of millions: the others have no weight.
    CHECK(*entropy(std::vector<float>{1e30F, -1e30F, 0}, *k.kernels) == 0);
    CHECK(*cross_entropy(std::vector<float>{1e4F, -1e4F}, 1, *k.kernels) == 20000);
  }
}

TEST_CASE("Entropy at its ends: one entry, all equal, all but one masked") {
  for (const NamedKernels& k : all_kernels()) {
    CHECK(*entropy(std::vector<float>{-7}, *k.kernels) == 0);
    CHECK(*entropy(std::vector<float>{-kInf, 2, -kInf}, *k.kernels) == 0);
    for (const std::size_t n : {2U, 255U, 256U, 257U, 1000U}) {
      CHECK(*entropy(std::vector<float>(n, -1e4F), *k.kernels) ==
            Approx(std::log(static_cast<double>(n))).epsilon(1e-14));
    }
  }
}

TEST_CASE("Masks: 0 log 0 is 0, what q cannot explain is infinite") {
  for (const NamedKernels& k : all_kernels()) {
    const std::vector<float> p = {0, -kInf, 0}, q = {0, 0, -kInf}, wide = {0, std::log(2.0F), 0};
    CHECK(*kl_divergence(p, wide, *k.kernels) == Approx(std::log(2.0)).epsilon(1e-7));
    CHECK(*kl_divergence(p, q, *k.kernels) == kInf);
    CHECK(*kl_divergence(wide, p, *k.kernels) == kInf);
    CHECK(*kl_divergence(p, p, *k.kernels) == 0);
    // Too unlikely for a float, but not masked: infinite all the same. And far ratios stay finite.
    CHECK(*kl_divergence(std::vector<float>{0, -1000}, std::vector<float>{0, -kInf}, *k.kernels) == kInf);
    CHECK(*kl_divergence(std::vector<float>{0, -1e30F}, std::vector<float>{-1e30F, 0}, *k.kernels) ==
          Approx(static_cast<double>(1e30F)).epsilon(1e-12));
    CHECK(*kl_divergence(std::vector<float>{5}, std::vector<float>{-9}, *k.kernels) == 0);

    std::vector<float> gradient(3);
    CHECK(*cross_entropy(p, 1, *k.kernels) == kInf);
    CHECK(*cross_entropy_gradient(p, 1, gradient, *k.kernels) == kInf);
    CHECK(gradient == std::vector<float>{0.5F, -1, 0.5F});
    CHECK(*cross_entropy_gradient(p, 0, gradient, *k.kernels) == Approx(std::log(2.0)));
    CHECK(gradient == std::vector<float>{-0.5F, 0, 0.5F});
    CHECK(*cross_entropy_gradient(std::vector<float>{4}, 0, std::span<float>(gradient).first(1),
                                  *k.kernels) == 0);
    CHECK(gradient[0] == 0);
  }
}

TEST_CASE("The divergence is 0 from a row moved by a constant, and never below") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<float> a = row("normal", seed, 300), b = row("peaked", seed, 300);
    std::vector<float> moved = a;
    for (float& x : moved) x += 16;  // exact: rows are multiples of 2^-14
    CHECK(*kl_divergence(a, moved) == 0);
    CHECK(*kl_divergence(a, b) >= 0);
    CHECK(*kl_divergence(b, a) >= 0);
  }
}

TEST_CASE("Bad rows, sizes and targets are named") {
  const std::vector<float> good = {0, 1, 2}, two = {0, 1}, masked(3, -kInf);
  std::vector<float> out(3);
  for (const float bad : {kNan, kInf}) {
    const std::vector<float> row = {0, 1, bad};
    const std::string named = bad == kInf ? "the logit of id 2 is inf" : "the logit of id 2 is nan";
    for (const Error& error :
         {entropy(row).error(), cross_entropy(row, 0).error(), cross_entropy_gradient(row, 0, out).error()}) {
      CHECK(error.code == ErrorCode::kBadNumbers);
      CHECK(error.message.rfind(named, 0) == 0);
    }
    CHECK(kl_divergence(row, good).error().message.rfind("in p, " + named, 0) == 0);
    CHECK(kl_divergence(good, row).error().message.rfind("in q, " + named, 0) == 0);
  }
  CHECK(entropy(masked).error().message == "none of the 3 logits is finite");
  CHECK(entropy({}).error().code == ErrorCode::kBadNumbers);
  CHECK(kl_divergence(good, masked).error().code == ErrorCode::kBadNumbers);
  CHECK(kl_divergence(good, two).error().message == "p has 3 logits, but q has 2");
  for (const std::int32_t target : {-1, 3}) {
    CHECK(cross_entropy(good, target).error().code == ErrorCode::kInvalidArgument);
    CHECK(cross_entropy_gradient(good, target, out).error().message ==
          "the target is " + std::to_string(target) + ", but there are 3 logits");
  }
  CHECK(cross_entropy({}, 0).error().code == ErrorCode::kInvalidArgument);
  CHECK(cross_entropy_gradient(good, 0, std::span<float>(out).first(2)).error().code ==
        ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace partita::internal::test
