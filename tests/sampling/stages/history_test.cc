// The stages that read the history, against transformers' processors and their definitions in float64.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/chain.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<std::int32_t>;
constexpr std::string_view kKinds[] = {"normal", "peaked", "ties", "equal", "masked"};

SamplingValue value_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.empty() || value[0].is_string()) return value.get<std::vector<std::string>>();
  TokenBiases biases;
  for (const Json& pair : value) {
    biases.emplace_back(pair[0], pair[1].is_null() ? -kInf : pair[1].get<float>());
  }
  return biases;
}

SamplingOptions options_of(const Json& chain) {
  SamplingOptions options;
  options.samplers.clear();
  for (const Json& stage : chain) {
    options.samplers.push_back(stage[0]);
    for (const auto& [name, value] : stage[1].items()) options.set(name, value_of(value));
  }
  return options;
}

/// The record of a row; see record_history.py.
struct Record {
  explicit Record(const std::string& line) {
    std::istringstream(line) >> hash >> best >> p_best >> p_some >> mean;
  }
  std::string hash;
  std::int32_t best = -1;
  double p_best = 0, p_some = 0, mean = 0;
};

void check_row(const Record& record, const std::vector<float>& p, std::uint64_t seed, double& worst) {
  const Ids support = support_of(p);
  REQUIRE(hash_of(support) == record.hash);
  const auto error = [&](std::int32_t id, double expected) {
    worst = std::max(worst, std::abs(static_cast<double>(p[static_cast<std::size_t>(id)]) / expected - 1));
  };
  if (record.best >= 0) {
    CHECK(std::max_element(p.begin(), p.end()) - p.begin() == record.best);
    error(record.best, record.p_best);
  }
  error(support[seed % support.size()], record.p_some);
  double sum = 0;
  for (const std::int32_t id : support) sum += std::log(static_cast<double>(p[static_cast<std::size_t>(id)]));
  worst = std::max(worst, std::abs(sum / static_cast<double>(support.size()) - record.mean));
  CHECK(worst < 1e-6);
}

/// The rows first .. last-1 of a vocabulary.
void check_rows(const Json& oracle, std::size_t vocab, std::size_t first, std::size_t last,
                const NamedKernels& kernels) {
  const SyntheticVocabulary vocabulary(vocab);
  const Json& records = oracle["rows"][std::to_string(vocab)];
  REQUIRE(records.size() == 1000);
  const Json& chains = oracle["chains"];
  Candidates scratch;  // one for all rows, as in use
  std::vector<float> p(vocab);
  double worst = 0;
  for (std::size_t i = first; i < last; ++i) {
    const std::uint64_t seed = oracle["first_seed"].get<std::uint64_t>() + i;
    const Json& stages = chains[i % chains.size()];
    CAPTURE(kernels.name, vocab, seed, stages.dump());
    const RepeatingHistory history = repeating_history(seed, vocab);
    const std::vector<float> logits = row(kKinds[i % 5], seed, vocab);
    SamplingOptions options = options_of(stages);
    const Result<Chain> chain = Chain::create(options, &vocabulary);
    REQUIRE(chain);
    const StageContext context{history.ids, history.prompt_size, {}, kernels.kernels};
    REQUIRE(chain->distribution(logits, context, nullptr, scratch, p));
    const Record record(records[i]);
    check_row(record, p, seed, worst);
    options.set("temperature", 0);
    if (record.best >= 0 &&
        stages[0][0] != "temperature") {  // after which penalties are not what they are at 0
      CHECK(Chain::create(options, &vocabulary)->choose(logits, context, nullptr, scratch)->id ==
            record.best);
    }
  }
  UNSCOPED_INFO(kernels.name << " " << vocab << ": largest error " << worst);
  CHECK(worst < 1e-6);
}

NamedKernels fastest() { return all_kernels().back(); }

TEST_CASE("Stages that read the history keep what their references keep, with the same probabilities",
          "[slow]") {
  const Json oracle = Json::parse(read_data("sampling/history.json"));
  for (const NamedKernels& k : all_kernels()) check_rows(oracle, 7, 0, 1000, k);
  for (const NamedKernels& k : {all_kernels().front(), fastest()}) check_rows(oracle, 1000, 0, 1000, k);
  check_rows(oracle, 49152, 0, 57, fastest());
  check_rows(oracle, 262144, 57, 95, fastest());
}

TEST_CASE("All rows of the large vocabularies", "[.][full]") {
  const Json oracle = Json::parse(read_data("sampling/history.json"));
  for (const NamedKernels& k : {all_kernels().front(), fastest()}) {
    for (const std::size_t vocab : {49152U, 262144U}) check_rows(oracle, vocab, 0, 1000, k);
  }
}

/// The distribution of a chain over a row.
std::vector<float> distribution(const SamplingOptions& options, const std::vector<float>& logits,
                                const Ids& history, std::size_t prompt_size = 0,
                                const Vocabulary* vocabulary = nullptr) {
  const Result<Chain> chain = Chain::create(options, vocabulary);
  REQUIRE(chain);
  Candidates scratch;
  std::vector<float> p(logits.size(), kNan);
  REQUIRE(chain->distribution(logits, {history, prompt_size, {}, &exact_kernels()}, nullptr, scratch, p));
  return p;
}

Error refusal(const SamplingOptions& options, const Vocabulary* vocabulary = nullptr) {
  const Result<Chain> chain = Chain::create(options, vocabulary);
  REQUIRE_FALSE(chain);
  CHECK(chain.error().code == ErrorCode::kInvalidArgument);
  return chain.error();
}

TEST_CASE("Presence and frequency count what was generated, not the prompt") {
  const std::vector<float> p = distribution({{"presence_penalty", 1}, {"frequency_penalty", 0.5}},
                                            {0, 0, 0, 0}, {0, 0, 1, 2, 2, -1, 7, 2147483647}, 2);
  CHECK(p[1] / p[0] == Approx(std::exp(-1.5)));
  CHECK(p[2] / p[0] == Approx(std::exp(-2)));
  CHECK(p[3] == p[0]);
}

TEST_CASE("The window of a penalty is the last ids that it counts") {
  const Ids history = {0, 1, 1, 2, 3};
  const std::vector<float> p =
      distribution({{"presence_penalty", 1}, {"penalty_last_n", 2}}, {0, 0, 0, 0, 0}, history, 1);
  CHECK(support_of(p) == Ids{0, 1, 2, 3, 4});
  CHECK(p[1] == p[4]);
  CHECK(p[2] / p[4] == Approx(std::exp(-1)));
  CHECK(p[3] / p[4] == Approx(std::exp(-1)));
  const std::vector<float> q =
      distribution({{"repeat_penalty", 2}, {"penalty_last_n", 1}}, {1, 1, 1, 1}, history);
  CHECK(q[2] == q[0]);
  CHECK(q[3] / q[0] == Approx(std::exp(-0.5)));
}

TEST_CASE("What is added to a logit does not depend on where the temperature was divided") {
  SamplingOptions options{{"temperature", 4}, {"presence_penalty", 2}};
  options.samplers = {"temperature", "count_penalties"};
  CHECK(distribution(options, {0, 0}, {0})[0] == Approx(1 / (1 + std::exp(2))));
  options.samplers = {"count_penalties", "temperature"};
  CHECK(distribution(options, {0, 0}, {0})[0] == Approx(1 / (1 + std::exp(0.5))));
}

TEST_CASE("A bias may forbid an id; the last of several counts") {
  const std::vector<float> logits = {1, 2, 3};
  CHECK(support_of(distribution({{"logit_bias", TokenBiases{{2, -kInf}, {7, 5}}}}, logits, {})) == Ids{0, 1});
  const std::vector<float> p =
      distribution({{"logit_bias", TokenBiases{{2, -kInf}, {0, 1}, {2, -1}}}}, logits, {});
  CHECK(p[1] == Approx(1.0 / 3));
  CHECK(p[2] == Approx(1.0 / 3));
  // Sums are clamped to floats.
  const float most = std::numeric_limits<float>::max();
  CHECK(support_of(distribution({{"logit_bias", TokenBiases{{0, most}}}}, {most, 0}, {})) == Ids{0});
  CHECK(support_of(distribution({{"logit_bias", TokenBiases{{0, -most}}}}, {-most, -kInf}, {})) == Ids{0});
  const SyntheticVocabulary vocabulary(1000);
  CHECK(refusal({{"logit_bias", TokenBiases{{1000, 1}}}}, &vocabulary).message ==
        "an id of logit_bias is 1000, but it must be one of the vocabulary's, 0 to 999");
  CHECK(refusal({{"logit_bias", TokenBiases{{-1, 1}}}}).message ==
        "an id of logit_bias is -1, but it must be one of the vocabulary's, 0 to 2147483647");
  CHECK(refusal({{"logit_bias", TokenBiases{{3, kInf}}}}).message ==
        "the logit_bias of id 3 is inf, but it must be a finite number, or -inf to forbid the id");
  CHECK(refusal({{"logit_bias", TokenBiases{{3, kNan}}}}).message.find("nan") != std::string::npos);
}

TEST_CASE("No n-gram occurs twice") {
  const std::vector<float> logits(5, 0);
  const auto left = [&](int n, const Ids& history) {
    return support_of(distribution({{"no_repeat_ngram_size", n}}, logits, history));
  };
  CHECK(left(2, {1, 2, 1, 3, 1}) == Ids{0, 1, 4});
  CHECK(left(3, {1, 2, 3, 1, 2}) == Ids{0, 1, 2, 4});
  CHECK(left(3, {1, 2}) == Ids{0, 1, 2, 3, 4});
  CHECK(left(2147483647, {1, 2}) == Ids{0, 1, 2, 3, 4});
  CHECK(left(1, {1, 2, 9}) == Ids{0, 3, 4});
  CHECK(left(2, {}) == Ids{0, 1, 2, 3, 4});
}

TEST_CASE("An answer does not end before its minimum") {
  const SyntheticVocabulary vocabulary(5);
  const std::vector<float> logits(5, 0);
  for (const std::size_t prompt : {0U, 1U, 2U}) {
    const Ids history(prompt + 2, 0);
    CHECK(support_of(distribution({{"min_tokens", 3}}, logits, history, prompt, &vocabulary)) ==
          Ids{0, 1, 3});
    CHECK(support_of(distribution({{"min_tokens", 2}}, logits, history, prompt, &vocabulary)).size() == 5);
  }
  Candidates scratch;
  const auto none = Chain::create({{"min_tokens", 3}}, &vocabulary)
                        ->choose(std::vector<float>{-kInf, -kInf, 1, -kInf, 2}, {{}, 0, {}, &exact_kernels()},
                                 nullptr, scratch);
  CHECK(none.error().message == "min_tokens 3 leaves no token to choose from");
}

TEST_CASE("DRY penalises a long repetition without limit, and still allows it if no other token is left") {
  const Ids history(500, 1);
  const SamplingOptions options{{"dry_multiplier", 3e38}, {"dry_base", 3e38}};
  CHECK(support_of(distribution(options, {0, 0, 0}, history)) == Ids{0, 2});
  CHECK(support_of(distribution(options, {-kInf, 0, -kInf}, history)) == Ids{1});
  CHECK(support_of(distribution({{"dry_multiplier", 0.1}, {"dry_base", 1}}, {0, 0, 0}, history)).size() == 3);
}

TEST_CASE("Options of the stages that read the history are refused with name, value and limits") {
  for (const char* name : {"presence_penalty", "frequency_penalty"}) {
    for (const double bad : {1e300, static_cast<double>(kNan), static_cast<double>(kInf)}) {
      CHECK(refusal({{name, bad}}).message.find(std::string(name) + " is ") == 0);
    }
  }
  for (const char* name : {"penalty_last_n", "no_repeat_ngram_size", "min_tokens", "dry_allowed_length",
                           "dry_last_n", "dry_multiplier"}) {
    CHECK(refusal({{name, -1}}).message.find(std::string(name) + " is -1") == 0);
  }
  CHECK(refusal({{"dry_base", 0.5}}).message == "dry_base is 0.5, but it must be a number of 1 or more");
  const std::vector<std::string> empty = {"a", ""}, huge(2, std::string(40000, 'x'));
  CHECK(refusal({{"banned_strings", empty}}).message ==
        "a text of banned_strings is empty, but it must be at least one byte long");
  CHECK(refusal({{"banned_strings", huge}}).message ==
        "banned_strings is 80000 bytes long in all, but it must be at most 65536");
  CHECK(refusal({{"dry_sequence_breakers", huge}}).message.find("dry_sequence_breakers") == 0);
}

TEST_CASE("Chains that read the history describe themselves") {
  const std::vector<std::string> banned = {"x"};
  CHECK(Chain::create({{"presence_penalty", 0.5},
                       {"penalty_last_n", 64},
                       {"repeat_penalty", 1.1},
                       {"no_repeat_ngram_size", 3},
                       {"logit_bias", TokenBiases{{1, 2}}},
                       {"min_tokens", 5},
                       {"dry_multiplier", 0.8},
                       {"banned_strings", banned}})
            ->describe() ==
        "logit_bias of 1 id, repeat_penalty 1.1 of the last 64 ids, count_penalties presence 0.5 of the last "
        "64 "
        "ids, no_repeat_ngram 3, dry 0.8, banned_strings of 1 text, min_tokens 5");
}

}  // namespace
}  // namespace partita::internal::test
