#include "sampling/softmax/softmax.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/kernels/dispatch.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

using Json = nlohmann::json;

const Json& oracle() {
  static const Json data = Json::parse(read_data("sampling/softmax.json"));
  return data;
}

/// The rounding of one float at the size of x.
double ulp(double x) { return std::ldexp(1.0, std::max(std::ilogb(x), -126) - 23); }

/// A few roundings of floats, however small the probability.
constexpr double kRelativeBound = 4e-7;

TEST_CASE("Log-sum-exp and log-probabilities of whole rows are those of float64 PyTorch") {
  REQUIRE(oracle()["rows"].size() == 15);
  for (const NamedKernels& k : all_kernels()) {
    for (const Json& record : oracle()["rows"]) {
      CAPTURE(k.name, record["kind"].get<std::string>(), record["vocab"].get<int>());
      const std::vector<float> logits =
          row(record["kind"].get<std::string>(), record["seed"], record["vocab"]);
      const Result<LogPartition> partition = log_partition(logits, *k.kernels);
      REQUIRE(partition);
      CHECK(std::abs(partition->log_sum_exp - record["lse"].get<double>()) < 2e-7);
      CHECK(partition->max == *std::max_element(logits.begin(), logits.end()));
      std::vector<float> logp(logits.size(), kNan), p(logits.size(), kNan);
      REQUIRE(log_softmax(logits, logp, *k.kernels));
      REQUIRE(softmax(logits, p, *k.kernels));
      double sum = 0;
      for (const float x : p) sum += static_cast<double>(x);
      CHECK(std::abs(sum - 1) < 5e-7);
      for (const Json& pair : record["logp"]) {
        const std::size_t id = pair[0];
        const double expected = pair[1];
        CHECK(std::abs(static_cast<double>(logp[id]) - expected) < 2e-7 + ulp(expected));
        CHECK(std::abs(static_cast<double>(p[id]) / std::exp(expected) - 1) < kRelativeBound);
      }
    }
  }
}

TEST_CASE("Rows at the edge of floats are those of float64 PyTorch") {
  REQUIRE(oracle()["edges"].size() == 11);
  for (const NamedKernels& k : all_kernels()) {
    for (const Json& record : oracle()["edges"]) {
      CAPTURE(k.name, record["name"].get<std::string>());
      std::vector<float> logits;
      for (const std::uint32_t bits : record["bits"]) {
        logits.push_back(0);
        std::memcpy(&logits.back(), &bits, sizeof bits);
      }
      const double lse = record["lse"];
      const Result<LogPartition> partition = log_partition(logits, *k.kernels);
      REQUIRE(partition);
      CHECK(std::abs(partition->log_sum_exp - lse) <= 2e-7 + 1e-15 * std::abs(lse));
      std::vector<float> p(logits.size(), kNan);
      REQUIRE(softmax(logits, p, *k.kernels));
      std::vector<float> logp = logits;  // in place
      REQUIRE(log_softmax(logp, logp, *k.kernels));
      for (std::size_t i = 0; i < logits.size(); ++i) {
        CAPTURE(i);
        if (record["logp"][i].is_null()) {
          CHECK(logp[i] == -kInf);
          CHECK(p[i] == 0);
          continue;
        }
        const double expected = record["logp"][i];
        if (expected < -static_cast<double>(std::numeric_limits<float>::max())) {
          CHECK(logp[i] == -kInf);  // no float is that low
        } else {
          CHECK(std::abs(static_cast<double>(logp[i]) - expected) <= 2e-7 + ulp(expected));
        }
        // Probabilities below the normal floats may be flushed to 0.
        const double probability = record["p"][i];
        CHECK(std::abs(static_cast<double>(p[i]) - probability) <= probability * kRelativeBound + 2.4e-38);
      }
    }
  }
}

TEST_CASE("A row that is no distribution is an error that says where") {
  for (const NamedKernels& k : all_kernels()) {
    for (const std::size_t size : {1U, 2U, 15U, 16U, 17U, 255U, 256U, 257U, 1000U}) {
      for (const float bad : {kNan, kInf}) {
        for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
          std::vector<float> logits(size, 1.5F);
          logits[at] = bad;
          logits[size - 1] = at == size - 1 ? bad : kNan;  // the first one is named
          CAPTURE(k.name, size, at, bad);
          std::vector<float> out(size);
          const std::string named =
              "the logit of id " + std::to_string(at) + " is " + (bad == kInf ? "inf" : "nan");
          for (const Error& error :
               {log_partition(logits, *k.kernels).error(), softmax(logits, out, *k.kernels).error(),
                log_softmax(logits, out, *k.kernels).error(), argmax(logits).error()}) {
            CHECK(error.code == ErrorCode::kBadNumbers);
            CHECK(error.message.rfind(named + ",", 0) == 0);
          }
        }
      }
      const std::vector<float> masked(size, -kInf);
      std::vector<float> out(size);
      const std::string none = "none of the " + std::to_string(size) + " logits is finite";
      CHECK(log_partition(masked, *k.kernels).error().message == none);
      CHECK(softmax(masked, out, *k.kernels).error().message == none);
      CHECK(argmax(masked).error().message == none);
    }
    CHECK(log_partition({}, *k.kernels).error().message == "none of the 0 logits is finite");
    CHECK(argmax({}).error().code == ErrorCode::kBadNumbers);
    const std::vector<float> three(3);
    std::vector<float> two(2);
    CHECK(softmax(three, two, *k.kernels).error().code == ErrorCode::kInvalidArgument);
    CHECK(log_softmax(three, two, *k.kernels).error().code == ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("A million entries, each within the stated bounds of double precision", "[slow]") {
  for (const double scale : {0.01, 1.0, 8.0}) {
    for (const std::string_view kind : {"normal", "peaked"}) {
      std::vector<float> logits = row(kind, 6, 1000000);
      for (float& x : logits) x *= static_cast<float>(scale);
      const double max = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
      double sum = 0;
      for (const float x : logits) sum += std::exp(static_cast<double>(x) - max);
      std::vector<float> p(logits.size()), logp(logits.size());
      for (const NamedKernels& k : all_kernels()) {
        REQUIRE(softmax(logits, p, *k.kernels));
        REQUIRE(log_softmax(logits, logp, *k.kernels));
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < p.size(); ++i) {
          const double expected = static_cast<double>(logits[i]) - max - std::log(sum);
          const double probability = std::exp(expected);
          wrong +=
              !(std::abs(static_cast<double>(p[i]) - probability) <= probability * kRelativeBound + 1.2e-38);
          wrong += !(std::abs(static_cast<double>(logp[i]) - expected) <= ulp(expected) + 3e-7);
        }
        CAPTURE(k.name, kind, scale);
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("The public functions are those of the table that is chosen") {
  const Result<Isa> isa = choose_isa();
  REQUIRE(isa);
  const std::vector<float> logits = row("masked", 9, 3000), other = row("normal", 10, 3000);
  std::vector<float> out(3000, kNan), expected(3000);
  REQUIRE(softmax(logits, out));
  REQUIRE(softmax(logits, expected, kernels(*isa)));
  CHECK(out == expected);
  REQUIRE(log_softmax(logits, out));
  REQUIRE(log_softmax(logits, expected, kernels(*isa)));
  CHECK(out == expected);
  CHECK(*log_sum_exp(logits) == log_partition(logits, kernels(*isa))->log_sum_exp);
  CHECK(*entropy(logits) == *entropy(logits, kernels(*isa)));
  CHECK(*kl_divergence(logits, other) == *kl_divergence(logits, other, kernels(*isa)));
  CHECK(*cross_entropy(logits, 5) == *cross_entropy(logits, 5, kernels(*isa)));
  CHECK(*cross_entropy_gradient(logits, 5, out) == *cross_entropy(logits, 5));
  CHECK(log_sum_exp(std::vector<float>{1, kNan}).error().code == ErrorCode::kBadNumbers);
  CHECK(log_sum_exp({}).error().message == "none of the 0 logits is finite");
}

TEST_CASE("The largest logit wins, the lowest id among equals") {
  CHECK(*argmax(std::vector<float>{3}) == 0);
  CHECK(*argmax(std::vector<float>{1, 5, 5, -kInf}) == 1);
  CHECK(*argmax(std::vector<float>{-kInf, -2, -1, -1}) == 2);
  CHECK(*argmax(std::vector<float>{-0.0F, 0.0F}) == 0);
}

TEST_CASE("The same row gives the same bits wherever it stands in memory") {
  for (const NamedKernels& k : all_kernels()) {
    const std::vector<float> logits = row("normal", 5, 1000);
    const double expected = log_partition(logits, *k.kernels)->log_sum_exp;
    for (std::size_t shift = 1; shift < 16; ++shift) {
      std::vector<float> moved(shift + logits.size());
      std::copy(logits.begin(), logits.end(), moved.begin() + static_cast<std::ptrdiff_t>(shift));
      CHECK(log_partition(std::span<const float>(moved).subspan(shift), *k.kernels)->log_sum_exp == expected);
    }
  }
}

}  // namespace
}  // namespace partita::internal::test
