// Every filter over a thousand rows at each of four vocabularies, against tests/oracles/record_filters.py.
//
// All rows of the small vocabularies and the first of the large ones are read here; `sampling_test [full]`
// reads every row.
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/kernels/dispatch.h"
#include "partita/softmax.hpp"
#include "sampling/chain/chain.h"
#include "sampling/stages/stages.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"
#include "tests/sanitized.h"

namespace partita::internal::test {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kGroup = 10;  // rows under one digest

/// A chain of the one stage that these options belong to.
SamplingOptions stage_of(const Json& values) {
  SamplingOptions options;
  for (const auto& [name, value] : values.items()) options.set(name, value.get<double>());
  options.samplers.clear();
  for (const StageDescriptor* stage : known_stages()) {
    for (const SamplingOption& option : stage->sampler.options) {
      const bool named = values.contains(std::string(option.name));
      if (named && (options.samplers.empty() || options.samplers.back() != stage->sampler.name)) {
        options.samplers.emplace_back(stage->sampler.name);
      }
    }
  }
  REQUIRE(options.samplers.size() == 1);
  return options;
}

/// Bit i of a number in hexadecimal.
bool bit(const std::string& digits, std::size_t i) {
  if (i / 4 >= digits.size()) return false;
  const char digit = digits[digits.size() - 1 - i / 4];
  const int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
  return (value >> (i % 4) & 1) != 0;
}

std::string text_of(std::uint64_t combined) {
  std::array<char, 9> text;
  std::snprintf(text.data(), text.size(), "%08x", static_cast<unsigned>(combined >> 32));
  return text.data();
}

/// splitmix64 of every id: a support's digest is the sum of its ids' numbers.
std::vector<std::uint64_t> numbers_of(std::size_t vocab) {
  std::vector<std::uint64_t> numbers(vocab);
  for (std::size_t i = 0; i < vocab; ++i) numbers[i] = splitmix64(i);
  return numbers;
}

std::uint64_t digest_of(const std::vector<float>& p, const std::vector<std::uint64_t>& numbers) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] > 0 ? numbers[i] : 0;
  return sum;
}

struct Filter {
  Json record;
  Chain chain;
  std::string used, digests;
  std::map<std::size_t, Json> shown;  // by seed: [[id, probability]]
  std::uint64_t combined = 0;
};

std::vector<Filter> filters_of(std::size_t vocab) {
  const Json oracle = Json::parse(read_data("sampling/filters_" + std::to_string(vocab) + ".json"));
  std::vector<Filter> filters;
  for (const Json& record : oracle["filters"]) {
    Result<Chain> chain = Chain::create(stage_of(record["options"]));
    REQUIRE(chain);
    Filter filter{record["options"], std::move(*chain), record["used"], record["digests"], {}, 0};
    for (const Json& row : record["p"]) filter.shown[row[0]] = row[1];
    filters.push_back(std::move(filter));
  }
  return filters;
}

/// The largest relative error of a few probabilities [[id, probability]].
double error_of(const std::vector<float>& p, const Json& expected) {
  double worst = 0;
  for (const Json& pair : expected) {
    const double wanted = pair[1], found = p[pair[0].get<std::size_t>()];
    worst = std::max(worst, std::abs(found / wanted - 1));
  }
  return worst;
}

/// Rows [0, rows) of a vocabulary through every filter; the largest relative error of a probability.
double check_rows(std::size_t vocab, std::size_t rows, const NamedKernels& k) {
  constexpr std::array<std::string_view, 4> kKinds = {"normal", "peaked", "ties", "masked"};
  std::vector<Filter> filters = filters_of(vocab);
  REQUIRE(filters.size() == 17);
  const std::vector<std::uint64_t> numbers = numbers_of(vocab);
  Candidates scratch;
  std::vector<float> p(vocab);
  double worst = 0;
  for (std::size_t seed = 0; seed < rows; ++seed) {
    const std::vector<float> logits = row(kKinds[seed % kKinds.size()], seed, vocab);
    const std::vector<std::int32_t> seen = history(seed, vocab);
    const StageContext context{seen, 0, {}, k.kernels};
    for (Filter& filter : filters) {
      if (bit(filter.used, seed)) {
        if (!filter.chain.distribution(logits, context, {}, scratch, p)) FAIL("no distribution");
        filter.combined = splitmix64(filter.combined + digest_of(p, numbers));
        if (const auto shown = filter.shown.find(seed); shown != filter.shown.end()) {
          worst = std::max(worst, error_of(p, shown->second));
        }
      }
      if (seed % kGroup == kGroup - 1) {
        CAPTURE(k.name, vocab, seed, filter.record.dump(), worst);
        REQUIRE(text_of(filter.combined) == filter.digests.substr(seed / kGroup * 8, 8));
        REQUIRE(worst < 1e-6);
        filter.combined = 0;
      }
    }
  }
  return worst;
}

TEST_CASE("Filters keep what float64 keeps, over a thousand rows of small vocabularies", "[slow]") {
  for (const NamedKernels& k : all_kernels()) {
    check_rows(7, 1000, k);
    check_rows(1000, k.name == "exact" ? 100 : 1000, k);
  }
}

TEST_CASE("Filters keep what float64 keeps, over rows of large vocabularies", "[slow]") {
  for (const NamedKernels& k : all_kernels()) {
    check_rows(49152, k.name == "exact" ? 10 : all_or(50, 5), k);
    check_rows(262144, k.name == "exact" ? all_or(10, 2) : all_or(20, 2), k);
  }
}

TEST_CASE("Filters keep what float64 keeps, over a thousand rows of every vocabulary", "[.][full]") {
  const NamedKernels fastest = all_kernels().back();
  for (const std::size_t vocab : {7U, 1000U, 49152U, 262144U}) {
    const double worst = check_rows(vocab, 1000, fastest);
    WARN(fastest.name << ", vocabulary " << vocab << ": largest relative error of a probability " << worst);
  }
}

TEST_CASE("Mirostat follows its text as the definition does") {
  const Json oracle = Json::parse(read_data("sampling/mirostat.json"));
  REQUIRE(oracle["texts"].size() == 6);
  constexpr std::array<std::string_view, 4> kKinds = {"normal", "peaked", "ties", "masked"};
  for (const NamedKernels& k : all_kernels()) {
    Candidates scratch;
    for (const Json& text : oracle["texts"]) {
      const std::size_t vocab = text["vocab"];
      const std::vector<std::uint64_t> numbers = numbers_of(vocab);
      const Result<Chain> chain = Chain::create(stage_of(text["options"]));
      REQUIRE(chain);
      ChainState state = chain->make_state();
      for (const Json& step : text["steps"]) {
        CAPTURE(k.name, text["options"].dump(), step.dump());
        const std::size_t seed = step[0], id = step[1];
        std::vector<float> p(vocab);
        const std::vector<float> logits = row(kKinds[seed % kKinds.size()], seed, vocab);
        const ChainState fork = state;
        REQUIRE(chain->distribution(logits, {{}, 0, {}, k.kernels}, &fork, scratch, p));
        REQUIRE(text_of(splitmix64(digest_of(p, numbers))) == step[3].get<std::string>());
        REQUIRE(std::abs(p[id] / step[2].get<double>() - 1) < 1e-6);
        chain->accept({static_cast<std::int32_t>(id), p[id]}, state);
      }
    }
  }
}

std::vector<std::int32_t> kept(const SamplingOptions& options, const std::vector<float>& logits,
                               const DrawKey& key = {}) {
  const Result<Chain> chain = Chain::create(options);
  REQUIRE(chain);
  Candidates scratch;
  std::vector<float> p(logits.size(), kNan);
  REQUIRE(chain->distribution(logits, {{}, 0, key, &exact_kernels()}, {}, scratch, p));
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] > 0) ids.push_back(static_cast<std::int32_t>(i));
  }
  return ids;
}

using Ids = std::vector<std::int32_t>;

TEST_CASE("Ties: all stay if the bound is a probability, the lowest ids if a number of candidates is kept") {
  const std::vector<float> equal = {1, 1, 1, 1, -kInf, 1};
  const Ids all = {0, 1, 2, 3, 5};
  CHECK(kept({{"typical_p", 0.1}}, equal) == all);
  CHECK(kept({{"epsilon_cutoff", 0.2}}, equal) == all);
  CHECK(kept({{"epsilon_cutoff", 0.9}}, equal) == all);  // none is that likely: the likeliest stay
  CHECK(kept({{"eta_cutoff", 0.9}}, equal) == all);
  CHECK(kept({{"top_n_sigma", 1e-6}}, equal) == all);
  CHECK(kept({{"xtc_probability", 1}, {"xtc_threshold", 0.1}}, equal) == Ids{5});
  CHECK(kept({{"xtc_probability", 1}, {"xtc_threshold", 0.3}}, equal) == all);
  CHECK(kept({{"mirostat", 2}, {"mirostat_tau", 0.1}}, equal) == Ids{0});
  CHECK(kept({{"mirostat", 2}, {"mirostat_tau", 2}}, equal) == all);
}

TEST_CASE("One candidate passes every stage") {
  const std::vector<float> one = {-kInf, 3, -kInf};
  for (const SamplingOptions& options :
       {SamplingOptions{{"typical_p", 0.1}}, SamplingOptions{{"epsilon_cutoff", 0.9}},
        SamplingOptions{{"eta_cutoff", 0.9}}, SamplingOptions{{"top_n_sigma", 1}},
        SamplingOptions{{"xtc_probability", 1}, {"xtc_threshold", 0}}, SamplingOptions{{"dynatemp_range", 5}},
        SamplingOptions{{"mirostat", 1}}, SamplingOptions{{"mirostat", 2}, {"mirostat_tau", 0}}}) {
    CHECK(kept(options, one) == Ids{1});
    CHECK(kept(options, {2}) == Ids{0});
  }
}

TEST_CASE("XTC drops as often as requested, with a draw stream of its own") {
  const SamplingOptions options{{"xtc_probability", 0.25}, {"xtc_threshold", 0.2}};
  const std::vector<float> logits = {2, 2.1F, 0, -1};
  int dropped = 0, both = 0, loud_ones = 0;
  constexpr int kTokens = 4000;
  for (std::uint64_t i = 0; i < kTokens; ++i) {
    const DrawKey key{9, 3, i};
    const Ids ids = kept(options, logits, key);
    CHECK((ids == Ids{0, 1, 2, 3} || ids == Ids{0, 2, 3}));
    dropped += ids.size() == 3 ? 1 : 0;
    const bool loud = gumbel_noise(key, 1) > 1.2459;  // one draw in four
    loud_ones += loud ? 1 : 0;
    both += ids.size() == 3 && loud ? 1 : 0;
  }
  // Five standard deviations; the noise of the draw is independent of it.
  CHECK(std::abs(dropped - kTokens * 0.25) < 5 * std::sqrt(kTokens * 0.25 * 0.75));
  CHECK(std::abs(both - kTokens * 0.0625) < 5 * std::sqrt(kTokens * 0.0625 * 0.9375));
  CHECK(loud_ones > 0);
}

TEST_CASE("Mirostat brings the surprise of a text to its target") {
  for (const int version : {1, 2}) {
    const Result<Chain> chain = Chain::create({{"mirostat", version}, {"mirostat_tau", 4}});
    ChainState state = chain->make_state();
    Candidates scratch;
    double bits = 0;
    constexpr int kTokens = 400;
    for (std::uint64_t i = 0; i < 2 * kTokens; ++i) {
      const std::vector<float> logits = row("normal", i, 1000);
      const Result<Choice> choice =
          chain->choose(logits, {{}, 0, {5, 0, i}, &kernels(Isa::kScalar)}, &state, scratch);
      REQUIRE(choice);
      chain->accept(*choice, state);
      if (i >= kTokens) bits -= std::log2(choice->probability) / kTokens;
    }
    CAPTURE(version, bits);
    CHECK(std::abs(bits - 4) < 0.2);
  }
}

TEST_CASE("The filters' options out of their limits are refused") {
  const auto refusal = [](const SamplingOptions& options) {
    const Result<Chain> chain = Chain::create(options);
    REQUIRE_FALSE(chain);
    CHECK(chain.error().code == ErrorCode::kInvalidArgument);
    return chain.error().message;
  };
  CHECK(refusal({{"typical_p", 0}}) == "typical_p is 0, but it must be above 0 and at most 1 (1: off)");
  CHECK(refusal({{"epsilon_cutoff", 1}}) ==
        "epsilon_cutoff is 1, but it must be at least 0 (off) and below 1");
  CHECK(refusal({{"mirostat", 3}}) == "mirostat is 3, but it must be 0 (off), 1 or 2");
  CHECK(refusal({{"xtc_threshold", 1.5}}) == "xtc_threshold is 1.5, but it must be at least 0 and at most 1");
  // Every number of every stage: NaN, and most values out of its limits.
  for (const StageDescriptor* stage : known_stages()) {
    for (const SamplingOption& option : stage->sampler.options) {
      if (option.kind != OptionKind::kNumber && option.kind != OptionKind::kWholeNumber) continue;
      CAPTURE(option.name);
      for (const double bad : {std::nan(""), double{kInf}, -double{kInf}}) {
        CHECK(refusal({{option.name, bad}}).rfind(std::string(option.name) + " is ", 0) == 0);
      }
      CHECK(Chain::create({{option.name, option.neutral}}));
    }
  }
}

/// A chain for every option that is off by default, with a value that enables its stage.
std::vector<SamplingOptions> one_of_each() {
  std::vector<SamplingOptions> all;
  for (const StageDescriptor* stage : known_stages()) {
    for (const SamplingOption& option : stage->sampler.options) {
      if (option.kind == OptionKind::kTexts) continue;
      for (const double value : {0.0, 0.3, 0.999, 1.0, 2.0, 40.0, 1e30, 1e-30, -1.0, -1e30}) {
        SamplingOptions options;
        if (option.kind == OptionKind::kBiases) {
          options.set(option.name, TokenBiases{{1, static_cast<float>(value)}, {300, -kInf}});
        } else {
          options.set(option.name, value);
        }
        const Result<Chain> chain = Chain::create(options);
        if (chain && !chain->describe().empty()) all.push_back(options);
      }
    }
  }
  return all;
}

std::vector<std::vector<float>> extreme_rows() {
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  constexpr float kHuge = std::numeric_limits<float>::max();
  std::vector<std::vector<float>> rows = {
      {0},
      {1e30F, -1e30F, 0, 9.9e29F},
      {-1e30F, -1e30F, -1e30F},
      {kTiny, 0, -kTiny, 1e-40F, -3e-39F},
      {kHuge, -kHuge, kHuge, 0},
      {-kHuge, -kHuge, -kInf},
      {-kInf, -kInf, -40},
      {-0.0F, 0.0F},
      std::vector<float>(600, 1e30F),
      std::vector<float>(600, -kInf),
  };
  rows.back()[299] = -1e30F;
  rows.push_back(row("normal", 1, 1000));
  for (std::size_t i = 0; i < 1000; i += 3) rows.back()[i] *= i % 2 == 0 ? 1e30F : 1e-42F;
  return rows;
}

TEST_CASE("Extreme logits through every stage give the right answer or an error, never an arbitrary token") {
  const std::vector<SamplingOptions> chains = one_of_each();
  REQUIRE(chains.size() >= 3 * known_stages().size() / 2);
  const std::vector<std::int32_t> seen = {0, 1, 2, 1, 2, 0, 1};
  for (const NamedKernels& k : all_kernels()) {
    Candidates scratch;
    for (const SamplingOptions& options : chains) {
      const Result<Chain> chain = Chain::create(options);
      CAPTURE(k.name, chain->describe());
      for (const std::vector<float>& logits : extreme_rows()) {
        for (std::uint64_t position = 0; position < 3; ++position) {
          const StageContext context{seen, 2, {1, 2, position}, k.kernels};
          const ChainState state = chain->make_state();
          std::vector<float> p(logits.size(), kNan);
          const Result<void> found = chain->distribution(logits, context, &state, scratch, p);
          const Result<Choice> choice = chain->choose(logits, context, &state, scratch);
          REQUIRE(found.ok() == choice.ok());
          if (!found) {
            REQUIRE_FALSE(found.error().message.empty());
            continue;
          }
          double sum = 0;
          for (std::size_t i = 0; i < p.size(); ++i) {
            if (!(p[i] >= 0) || (p[i] > 0 && logits[i] == -kInf)) FAIL("probability " << p[i] << " of " << i);
            sum += p[i];
          }
          REQUIRE(std::abs(sum - 1) < 1e-5);
          REQUIRE(p[static_cast<std::size_t>(choice->id)] > 0);
        }
      }
      std::vector<float> broken = row("normal", 3, 1000);
      for (const std::size_t at : {0U, 255U, 256U, 999U}) {
        for (const float bad : {kNan, kInf}) {
          const float whole = std::exchange(broken[at], bad);
          const Result<Choice> choice = chain->choose(broken, {seen, 2, {}, k.kernels}, {}, scratch);
          REQUIRE_FALSE(choice);
          REQUIRE(choice.error().message.rfind("the logit of id " + std::to_string(at), 0) == 0);
          broken[at] = whole;
        }
      }
      REQUIRE_FALSE(chain->choose(std::vector<float>(300, -kInf), {seen, 2, {}, k.kernels}, {}, scratch));
      REQUIRE_FALSE(chain->choose({}, {seen, 2, {}, k.kernels}, {}, scratch));
    }
  }
}

TEST_CASE("Earlier use of a scratch changes nothing, for every stage") {
  Candidates used;
  for (const SamplingOptions& options : one_of_each()) {
    const Result<Chain> chain = Chain::create(options);
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      const std::vector<float> logits = row(seed == 1 ? "ties" : "normal", seed, 1 + splitmix64(seed) % 3000);
      const std::vector<std::int32_t> seen = history(seed, logits.size());
      Candidates fresh;
      const StageContext context{seen, 1, {1, seed, 7}, &kernels(Isa::kScalar), nullptr, true};
      const Result<Choice> one = chain->choose(logits, context, {}, used);
      const Result<Choice> other = chain->choose(logits, context, {}, fresh);
      REQUIRE(one.ok() == other.ok());
      if (!one) continue;
      CHECK(one->id == other->id);
      CHECK(one->probability == other->probability);
    }
  }
}

}  // namespace
}  // namespace partita::internal::test
