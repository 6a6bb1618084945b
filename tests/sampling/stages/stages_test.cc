// The sampler chain against Hugging Face's logits processors, and which options and rows it refuses.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "sampling/stages/stages.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

using Json = nlohmann::json;

SamplingOptions chain_of(const Json& chain) {
  SamplingOptions options;
  options.samplers.clear();
  for (const Json& stage : chain) {
    const std::string name = stage[0];
    options.samplers.push_back(name);
    options.set(name, stage[1].get<double>());
  }
  return options;
}

/// The distribution of a chain over a row.
std::vector<float> written_by(const SamplingOptions& options, const std::vector<float>& logits,
                              const std::vector<std::int32_t>& seen = {},
                              const Kernels& kernels = exact_kernels()) {
  const Result<Chain> chain = Chain::create(options);
  REQUIRE(chain);
  Candidates scratch;
  std::vector<float> probabilities(logits.size(), kNan);
  REQUIRE(chain->distribution(logits, {seen, 0, {}, &kernels}, {}, scratch, probabilities));
  return probabilities;
}

TEST_CASE("Chains keep the ids that Hugging Face's processors keep, with their probabilities", "[slow]") {
  const Json oracle = Json::parse(read_data("sampling/chains.json"));
  REQUIRE(oracle["chains"].size() == 5 * 3 * 23);
  for (const NamedKernels& k : all_kernels()) {
    Candidates scratch;  // one for all rows, as in use
    double worst = 0;
    for (const Json& record : oracle["chains"]) {
      CAPTURE(k.name, record.dump());
      const std::vector<float> logits =
          row(record["kind"].get<std::string>(), record["seed"], record["vocab"]);
      const std::vector<std::int32_t> seen = history(record["seed"], record["vocab"]);
      const StageContext context{seen, 0, {}, k.kernels};
      SamplingOptions options = chain_of(record["chain"]);
      std::vector<float> p(logits.size(), kNan);
      REQUIRE(Chain::create(options)->distribution(logits, context, {}, scratch, p));
      const std::vector<std::int32_t> support = support_of(p);
      REQUIRE(support.size() == record["count"].get<std::size_t>());
      REQUIRE(hash_of(support) == record["hash"].get<std::string>());
      for (const Json& pair : record["p"]) {
        const double expected = pair[1];
        worst = std::max(worst, std::abs(static_cast<double>(p[pair[0].get<std::size_t>()]) / expected - 1));
      }
      CHECK(worst < 1e-6);
      options.set("temperature", 0);
      CHECK(Chain::create(options)->choose(logits, context, {}, scratch)->id ==
            record["best"].get<std::int32_t>());
    }
    UNSCOPED_INFO(k.name << ": largest relative error of a probability " << worst);
    CHECK(worst < 1e-6);
  }
}

TEST_CASE("Ties are broken by the lowest id, in every filter") {
  const std::vector<float> logits = {1, 2, 2, 2, 0, 2};
  CHECK(support_of(written_by({{"top_k", 2}}, logits)) == std::vector<std::int32_t>{1, 2});
  CHECK(support_of(written_by({{"top_k", 5}}, logits)) == std::vector<std::int32_t>{0, 1, 2, 3, 5});
  CHECK(support_of(written_by({{"top_p", 0.4F}}, logits)) == std::vector<std::int32_t>{1, 2});
  CHECK(support_of(written_by({{"top_p", 1e-30F}}, logits)) == std::vector<std::int32_t>{1});
  CHECK(support_of(written_by({{"min_p", 1}}, logits)) == std::vector<std::int32_t>{1, 2, 3, 5});
  CHECK(support_of(written_by({{"temperature", 0}}, logits)) == std::vector<std::int32_t>{1});
}

TEST_CASE("Masked ids are never kept, however wide the filter") {
  const std::vector<float> logits = {-kInf, 1, -kInf, -50, -kInf};
  for (const SamplingOptions& options :
       {SamplingOptions{}, SamplingOptions{{"top_k", 4}}, SamplingOptions{{"top_k", 5}},
        SamplingOptions{{"top_k", 1000}}, SamplingOptions{{"temperature", 1e30F}, {"min_p", 1e-30F}},
        SamplingOptions{{"temperature", 3e38F}},
        SamplingOptions{{"temperature", 50}, {"top_p", 0.999999F}}}) {
    const std::vector<float> p = written_by(options, logits);
    CHECK(support_of(p) == std::vector<std::int32_t>{1, 3});
    CHECK(p[1] + p[3] == Approx(1));
  }
  CHECK(support_of(written_by({{"top_k", 2}, {"repeat_penalty", 2}}, logits, {0, 1, 2, 3})) ==
        std::vector<std::int32_t>{1, 3});
}

TEST_CASE("Temperatures at the ends of floats are limits, not NaN") {
  const std::vector<float> logits = {20, 30, std::nextafter(30.0F, 31.0F), -kInf, -30};
  for (const NamedKernels& k : all_kernels()) {
    for (const float tiny : {1e-7F, 1e-30F, 1e-38F, 1e-45F}) {
      const std::vector<float> p =
          written_by({{"temperature", tiny}, {"top_p", 0.9F}, {"min_p", 0.1F}}, logits, {}, *k.kernels);
      CAPTURE(k.name, tiny);
      CHECK(support_of(p) == std::vector<std::int32_t>{2});
      CHECK(p[2] == 1);
    }
    for (const float huge : {1e10F, 1e38F, std::numeric_limits<float>::max()}) {
      const std::vector<float> p = written_by({{"temperature", huge}}, logits, {}, *k.kernels);
      CAPTURE(k.name, huge);
      CHECK(support_of(p) == std::vector<std::int32_t>{0, 1, 2, 4});
      CHECK(p[4] == Approx(0.25));
    }
  }
}

TEST_CASE("The penalty looks at an id once, and only at ids of the vocabulary") {
  const std::vector<float> logits = {2, -2, 0, 1};
  const std::vector<std::int32_t> seen = {0, 0, 1, 1, 2, 4, 2147483647, -1};
  const std::vector<float> p = written_by({{"repeat_penalty", 2}}, logits, seen);
  const double sum = std::exp(1) + std::exp(-4) + 1 + std::exp(1);
  CHECK(p[0] == Approx(std::exp(1) / sum));
  CHECK(p[1] == Approx(std::exp(-4) / sum));
  CHECK(p[2] == Approx(1 / sum));
  CHECK(p[3] == Approx(std::exp(1) / sum));
}

TEST_CASE("The order of the stages is the order asked for") {
  const std::vector<float> logits = {4, 3.5F, 3, 2, 1, 0};
  SamplingOptions options{{"temperature", 3}, {"top_p", 0.7F}};
  options.samplers = {"temperature", "top_p"};
  CHECK(support_of(written_by(options, logits)).size() == 4);
  options.samplers = {"top_p", "temperature"};
  CHECK(support_of(written_by(options, logits)).size() == 2);
  options.samplers = {};
  CHECK(support_of(written_by(options, logits)).size() == 6);
}

TEST_CASE("A chain describes its stages") {
  CHECK(Chain::create({})->describe().empty());
  CHECK(Chain::create({{"temperature", 0.8F},
                       {"top_k", 40},
                       {"top_p", 0.95F},
                       {"min_p", 0.05F},
                       {"repeat_penalty", 1.1F}})
            ->describe() == "repeat_penalty 1.1, temperature 0.8, top_k 40, top_p 0.95, min_p 0.05");
  const Result<Chain> greedy = Chain::create({{"temperature", 0}, {"top_k", 3}});
  CHECK(greedy->greedy());
  CHECK(greedy->describe() == "top_k 3, temperature 0");
  SamplingOptions unnamed{{"temperature", 0}, {"top_k", 3}};
  unnamed.samplers = {};
  CHECK(Chain::create(unnamed)->greedy());
  std::vector<std::string> names;
  std::set<std::string_view> options;
  for (const StageDescriptor* stage : known_stages()) {
    names.emplace_back(stage->sampler.name);
    CHECK_FALSE(stage->sampler.summary.empty());
    for (const SamplingOption& option : stage->sampler.options) {
      CHECK(options.insert(option.name).second);
      CHECK_FALSE(option.help.empty());
    }
  }
  CHECK(names == SamplingOptions{}.samplers);
}

TEST_CASE("Options out of their limits are refused with name, value and limits") {
  const auto refusal = [](const SamplingOptions& options) {
    const Result<Chain> chain = Chain::create(options);
    REQUIRE_FALSE(chain);
    CHECK(chain.error().code == ErrorCode::kInvalidArgument);
    return chain.error().message;
  };
  CHECK(refusal({{"temperature", -0.5F}}) ==
        "temperature is -0.5, but it must be a number of 0 (greedy) or more");
  CHECK(refusal({{"temperature", kNan}}) ==
        "temperature is nan, but it must be a number of 0 (greedy) or more");
  CHECK(refusal({{"temperature", kInf}}) ==
        "temperature is inf, but it must be a number of 0 (greedy) or more");
  CHECK(refusal({{"top_k", -1}}) == "top_k is -1, but it must be 0 (off) or more");
  for (const float p : {0.0F, -0.1F, 1.1F, kNan, kInf}) refusal({{"top_p", p}});
  CHECK(refusal({{"top_p", 1.5F}}) == "top_p is 1.5, but it must be above 0 and at most 1 (1: off)");
  for (const float p : {-0.1F, 1.1F, kNan, kInf}) refusal({{"min_p", p}});
  for (const float penalty : {0.0F, -1.0F, kNan, kInf}) refusal({{"repeat_penalty", penalty}});
  SamplingOptions options;
  options.samplers = {"top_k", "tok_p"};
  std::string known;
  for (const std::string& name : SamplingOptions{}.samplers) known += (known.empty() ? "" : ", ") + name;
  CHECK(refusal(options) == "there is no sampler 'tok_p'; there are " + known);
  CHECK(known.find("temperature, top_n_sigma, top_k, top_p, min_p, typical_p") != std::string::npos);
  options.samplers = {"top_k", "top_p", "top_k"};
  CHECK(refusal(options) == "the sampler 'top_k' is named twice, but each can be used once");
  options = {{"top_p", 7}};
  options.samplers = {"top_k"};
  CHECK(refusal(options).rfind("top_p is 7", 0) == 0);
}

TEST_CASE("Options that no stage knows, and values of another kind, are refused by name") {
  const auto refusal = [](const SamplingOptions& options) { return Chain::create(options).error().message; };
  CHECK(refusal({{"tok_p", 0.5}}).rfind("there is no sampling option 'tok_p'; there are ", 0) == 0);
  CHECK(refusal({{"tok_p", 0.5}}).find("top_p") != std::string::npos);
  CHECK(refusal({{"top_p", std::vector<std::string>{"a"}}}) == "top_p is texts, but it must be a number");
  CHECK(refusal({{"top_p", TokenBiases{{1, 2.0F}}}}) == "top_p is ids with numbers, but it must be a number");
  for (const double k : {1.5, 1e300, -3e9, std::nan("")}) {
    CHECK(refusal({{"top_k", k}}).find("it must be a whole number") != std::string::npos);
  }
  CHECK(refusal({{"temperature", 1e300}}).rfind("temperature is inf", 0) == 0);
  CHECK(Chain::create({{"temperature", 1e-300}})->greedy());
  SamplingOptions options{{"top_k", 3}};
  options.set("top_k", 4);
  CHECK(Chain::create(options)->describe() == "top_k 4");
}

TEST_CASE("Bad rows and rows that a stage breaks are errors, never tokens") {
  Candidates scratch;
  for (const NamedKernels& k : all_kernels()) {
    const StageContext context{{}, 0, {}, k.kernels};
    for (const SamplingOptions& options :
         {SamplingOptions{}, SamplingOptions{{"temperature", 0}, {"top_k", 5}, {"top_p", 0.9F}}}) {
      const Result<Chain> chain = Chain::create(options);
      for (const std::size_t at : {0U, 255U, 256U, 999U}) {
        std::vector<float> logits = row("normal", 3, 1000);
        logits[at] = kNan;
        CHECK(chain->choose(logits, context, {}, scratch)
                  .error()
                  .message.rfind("the logit of id " + std::to_string(at) + " is nan", 0) == 0);
        logits[at] = kInf;
        CHECK(chain->choose(logits, context, {}, scratch).error().code == ErrorCode::kBadNumbers);
      }
      CHECK(chain->choose(std::vector<float>(300, -kInf), context, {}, scratch).error().message ==
            "none of the 300 logits is finite");
      CHECK(chain->choose(std::vector<float>{}, context, {}, scratch).error().code == ErrorCode::kBadNumbers);
    }
    // 1e30 / 1e-30 is no float, nor is -1e30 * 1e30.
    const std::vector<std::int32_t> seen = {1};
    const Result<Chain> up = Chain::create({{"repeat_penalty", 1e-30F}});
    const Error error =
        up->choose(std::vector<float>{0, 1e30F}, {seen, 0, {}, k.kernels}, {}, scratch).error();
    CHECK(error.code == ErrorCode::kBadNumbers);
    CHECK(error.message == "after repeat_penalty 1e-30 the largest logit is not a finite number");
    const Result<Chain> down = Chain::create({{"repeat_penalty", 1e30F}});
    CHECK_FALSE(down->choose(std::vector<float>{-kInf, -1e30F}, {seen, 0, {}, k.kernels}, {}, scratch));
    CHECK(down->choose(std::vector<float>{-5, -1e30F}, {seen, 0, {}, k.kernels}, {}, scratch)->id == 0);
    std::vector<float> small(2);
    CHECK(up->distribution(std::vector<float>(3), context, {}, scratch, small).error().code ==
          ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace partita::internal::test
