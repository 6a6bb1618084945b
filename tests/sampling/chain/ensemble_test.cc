// Ensembles: against brute force in float64, at the limits of floats, and which inputs are refused.
#include "sampling/chain/ensemble.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/kernels/dispatch.h"
#include "sampling/softmax/softmax.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

using Json = nlohmann::json;

const Json& oracle() {
  static const Json data = Json::parse(read_data("sampling/ensembles.json"));
  return data;
}

EnsemblePool pool_of(const Json& record) {
  const auto weights = record["weights"].get<std::vector<float>>();
  const auto pool =
      EnsemblePool::create(weights, record["space"] == "logit" ? PoolSpace::kLogit : PoolSpace::kProbability);
  REQUIRE(pool);
  return *pool;
}

/// The rounding of one float at the size of x.
double ulp(double x) { return x == 0 ? 1.5e-45 : std::ldexp(1.0, std::max(std::ilogb(x), -126) - 23); }

/// Float exponentials in the sums of members; the logarithm of their mean is rounded once.
bool near(float value, double expected, bool logit_space) {
  return std::abs(static_cast<double>(value) - expected) <=
         ulp(expected) + (logit_space ? 0 : 2e-7 + 1e-15 * std::abs(expected));
}

/// As record_sampling.py: FNV-1a of the ids that are not masked.
std::string support_hash(std::span<const float> row) {
  std::uint64_t value = 0xCBF29CE484222325;
  for (std::size_t id = 0; id < row.size(); ++id) {
    if (std::isinf(row[id])) continue;
    for (int byte = 0; byte < 4; ++byte) value = (value ^ (id >> (8 * byte) & 0xFF)) * 0x100000001B3;
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

/// The rows of all members, concatenated.
std::vector<float> rows_of(const Json& record) {
  std::vector<float> rows;
  const std::size_t vocab = record["vocab"];
  for (std::size_t i = 0; i < record["kinds"].size(); ++i) {
    const auto one = row(record["kinds"][i].get<std::string>(), record["seed"].get<std::size_t>() + i, vocab);
    rows.insert(rows.end(), one.begin(), one.end());
  }
  return rows;
}

TEST_CASE("Ensembles of full rows equal brute force in float64") {
  REQUIRE(oracle()["rows"].size() == 48);
  for (const NamedKernels& k : all_kernels()) {
    for (const Json& record : oracle()["rows"]) {
      CAPTURE(k.name, record["kinds"].dump(), record["space"].get<std::string>(), record["vocab"].get<int>());
      const bool logit_space = record["space"] == "logit";
      std::vector<float> out(record["vocab"].get<std::size_t>(), kNan);
      REQUIRE(pool_of(record).combine(rows_of(record), out, *k.kernels));
      for (const Json& pair : record["values"]) {
        CAPTURE(pair.dump(), out[pair[0].get<std::size_t>()]);
        CHECK(near(out[pair[0].get<std::size_t>()], pair[1], logit_space));
      }
      CHECK(support_hash(out) == record["hash"].get<std::string>());
      if (!record["best"].is_null()) CHECK(*argmax(out) == record["best"].get<int>());
      if (logit_space) continue;
      double sum = 0;
      for (const float x : out) sum += std::exp(static_cast<double>(x));
      CHECK(std::abs(sum - 1) < 1e-6);
    }
  }
}

TEST_CASE("Ensembles at the edge of floats are those of 60 decimal digits") {
  REQUIRE(oracle()["edges"].size() == 18);
  for (const NamedKernels& k : all_kernels()) {
    for (const Json& record : oracle()["edges"]) {
      CAPTURE(k.name, record["name"].get<std::string>(), record["space"].get<std::string>());
      std::vector<float> rows;
      for (const Json& member : record["bits"]) {
        for (const std::uint32_t bits : member) {
          rows.push_back(0);
          std::memcpy(&rows.back(), &bits, sizeof bits);
        }
      }
      std::vector<float> out(record["values"].size(), kNan);
      REQUIRE(pool_of(record).combine(rows, out, *k.kernels));
      for (std::size_t i = 0; i < out.size(); ++i) {
        CAPTURE(i, out[i], record["values"][i].dump());
        if (record["values"][i].is_null()) {
          CHECK(out[i] == -kInf);
        } else {
          CHECK(near(out[i], record["values"][i], record["space"] == "logit"));
        }
      }
    }
  }
}

TEST_CASE("One member is itself: in logit space to the bit, in probability space its log-probabilities") {
  for (const NamedKernels& k : all_kernels()) {
    for (const char* kind : {"normal", "peaked", "ties", "equal", "masked"}) {
      std::vector<float> logits = row(kind, 3, 1000);
      logits[17] = -0.0F;
      for (const float weight : {1e-30F, 0.3F, 1.0F, 7e20F}) {
        std::vector<float> out(1000, kNan), expected(1000, kNan);
        REQUIRE(EnsemblePool::create({&weight, 1}, PoolSpace::kLogit)->combine(logits, out, *k.kernels));
        CHECK(std::memcmp(out.data(), logits.data(), out.size() * sizeof(float)) == 0);
        REQUIRE(
            EnsemblePool::create({&weight, 1}, PoolSpace::kProbability)->combine(logits, out, *k.kernels));
        REQUIRE(log_softmax(logits, expected, *k.kernels));
        CHECK(std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)) == 0);
      }
    }
  }
}

TEST_CASE("Weights count by their proportions, and a member of weight 0 not at all") {
  const Kernels& kernels = exact_kernels();
  const std::vector<float> first = row("normal", 1, 300), second = row("peaked", 2, 300);
  for (const PoolSpace space : {PoolSpace::kProbability, PoolSpace::kLogit}) {
    const auto combined = [&](std::vector<float> weights, const std::vector<std::vector<float>>& members) {
      std::vector<float> rows, out(300, kNan);
      for (const auto& member : members) rows.insert(rows.end(), member.begin(), member.end());
      REQUIRE(EnsemblePool::create(weights, space)->combine(rows, out, kernels));
      return out;
    };
    const std::vector<float> expected = combined({1, 3}, {first, second});
    CHECK(combined({0.25F, 0.75F}, {first, second}) == expected);
    CHECK(combined({2, 6}, {first, second}) == expected);
    CHECK(combined({3, 1}, {first, second}) != expected);
    for (const float spoiled : {kNan, kInf, -kInf}) {
      const std::vector<float> bad(300, spoiled);
      CHECK(combined({0, 1, 3}, {bad, first, second}) == expected);
      CHECK(combined({1, 3, 0}, {first, second, bad}) == expected);
    }
  }
}

TEST_CASE("Bad numbers name the member and the entry") {
  const Kernels& kernels = exact_kernels();
  const std::vector<float> weights = {1, 1, 1};
  for (const PoolSpace space : {PoolSpace::kProbability, PoolSpace::kLogit}) {
    const EnsemblePool pool = *EnsemblePool::create(weights, space);
    const auto refusal = [&](std::size_t at, float value) {
      std::vector<float> rows(900, 0.5F), out(300);
      rows[at] = value;
      const auto done = pool.combine(rows, out, kernels);
      REQUIRE_FALSE(done);
      CHECK(done.error().code == ErrorCode::kBadNumbers);
      return done.error().message;
    };
    CHECK(refusal(0, kNan).rfind("member 0 of the ensemble: the logit of id 0 is nan,", 0) == 0);
    CHECK(refusal(300 + 257, kInf).rfind("member 1 of the ensemble: the logit of id 257 is inf,", 0) == 0);
    CHECK(refusal(899, kNan).rfind("member 2 of the ensemble: the logit of id 299 is nan,", 0) == 0);
    std::vector<float> rows(900, 0.5F), out(300);
    std::fill_n(rows.begin() + 300, 300, -kInf);
    CHECK(pool.combine(rows, out, kernels).error().message ==
          "member 1 of the ensemble: none of the 300 logits is finite");
    CHECK(pool.combine(rows, std::span(out).first(299), kernels).error().code == ErrorCode::kInvalidArgument);
    CHECK(pool.combine({}, {}, kernels).error().code == ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("Weights that make no ensemble are refused by name") {
  const auto refusal = [](const std::vector<float>& weights) {
    const auto pool = EnsemblePool::create(weights, PoolSpace::kLogit);
    REQUIRE_FALSE(pool);
    CHECK(pool.error().code == ErrorCode::kInvalidArgument);
    return pool.error().message;
  };
  CHECK(refusal({}).find("has 0 members; it must have 1 to 16") != std::string::npos);
  CHECK(refusal(std::vector<float>(17, 1)).find("has 17 members") != std::string::npos);
  CHECK(refusal({1, -0.5F}).find("member 1 of the ensemble: the weight is -0.5") != std::string::npos);
  CHECK(refusal({kNan, 1}).find("member 0 of the ensemble: the weight is nan") != std::string::npos);
  CHECK(refusal({1, 2, kInf}).find("member 2 of the ensemble: the weight is inf") != std::string::npos);
  CHECK(refusal({0, 0}).find("all weights of the ensemble are 0") != std::string::npos);
  CHECK(EnsemblePool::create(std::vector<float>(16, std::numeric_limits<float>::max()), PoolSpace::kLogit));
}

}  // namespace
}  // namespace partita::internal::test
