// Beam search over tables instead of a model: against transformers, against all possible answers, and its
// parts separately.
#include "sampling/search/beams.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/kernels/dispatch.h"
#include "sampling/search/continuations.h"
#include "sampling/search/contrastive.h"
#include "sampling/softmax/softmax.h"
#include "tests/catch.h"
#include "tests/sampling/rows.h"

namespace partita::internal::test {
namespace {

using Ids = std::vector<std::int32_t>;
using Json = nlohmann::json;

/// A model whose logits depend on the last id and on how many there are.
struct Toy {
  std::size_t vocab = 0;
  std::vector<float> table;  // [positions][vocab][vocab]

  std::span<const float> logits(std::size_t length, std::int32_t last) const {
    const std::size_t row = (length - 1) * vocab + static_cast<std::size_t>(last);
    return std::span<const float>(table).subspan(row * vocab, vocab);
  }
};

Toy random_toy(std::size_t vocab, std::size_t positions, std::uint64_t seed) {
  return {vocab, row("normal", seed, positions * vocab * vocab)};
}

struct Search {
  Toy toy;
  std::int32_t start = 0;
  BeamOptions options;
  Ids eos;
  SamplingOptions sampling;
};

/// The full search; each beam gets exactly as many continuations as it needs.
std::vector<CompleteBeam> run(const Search& search, std::size_t n) {
  BeamOptions options = search.options;
  options.endings = search.eos.size();
  BeamSearch beams(options);
  const Chain chain = *Chain::create(search.sampling);
  ContinuationScratch scratch;
  std::vector<std::vector<Continuation>> likeliest(options.beams);
  const auto ends = [&](std::size_t, std::int32_t id) {
    return std::find(search.eos.begin(), search.eos.end(), id) != search.eos.end();
  };
  std::size_t steps = 0;
  while (!beams.done()) {
    REQUIRE(++steps <= options.max_length);
    for (std::size_t i = 0; i < beams.running().size(); ++i) {
      Ids history = {search.start};
      const Ids& ids = beams.running()[i].ids;
      history.insert(history.end(), ids.begin(), ids.end());
      REQUIRE(likeliest_after(chain, search.toy.logits(history.size(), history.back()),
                              {history, 0, {}, &exact_kernels()}, nullptr, beams.wanted(), scratch,
                              likeliest[i]));
      REQUIRE(likeliest[i].size() == std::min(beams.wanted(), search.toy.vocab));
    }
    beams.advance(std::span(likeliest).first(beams.running().size()), ends);
    REQUIRE(beams.parents().size() == beams.running().size());
  }
  return beams.best(n);
}

StopRule stop_rule(const Json& early) {
  if (early.is_string()) return StopRule::kNever;
  return early.get<bool>() ? StopRule::kFull : StopRule::kHeuristic;
}

Search recorded(const Json& record, const Json& a_case) {
  Search search;
  search.toy.vocab = 16;
  for (const int value : record["tables"][a_case["table"].get<std::size_t>()]) {
    search.toy.table.push_back(static_cast<float>(value) / 2000);
  }
  search.start = a_case["start"];
  search.eos = a_case["eos"].get<Ids>();
  BeamOptions& o = search.options;
  o.beams = a_case["beams"];
  o.groups = a_case.value("groups", std::size_t{1});
  o.diversity_penalty = a_case.value("diversity", 0.0);
  o.length_penalty = a_case["length_penalty"];
  o.max_length = a_case["max_new"];
  o.stop = stop_rule(a_case["early"]);
  search.sampling.set("repeat_penalty", a_case.value("repetition", 1.0F));
  return search;
}

TEST_CASE("Beams over tables: the answers and scores of transformers, and of diverse groups") {
  const Json record = Json::parse(read_data("search/beams_toy.json"));
  REQUIRE(record["cases"].size() >= 300);
  std::size_t ended = 0, grouped = 0, processed = 0;
  for (const Json& a_case : record["cases"]) {
    const Search search = recorded(record, a_case);
    const auto found = run(search, search.options.beams);
    const Json& expected = a_case["answers"];
    Json shown = a_case;
    INFO(shown.dump());
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO("answer " << i);
      CHECK(found[i].beam.ids == expected[i]["ids"].get<Ids>());
      CHECK(found[i].rank == Approx(expected[i]["score"].get<double>()).margin(1e-5));
      CHECK(found[i].beam.logprobs.size() == found[i].beam.ids.size());
      ended += found[i].beam.ids.size() < search.options.max_length;
    }
    grouped += search.options.groups > 1;
    processed += a_case.contains("repetition");
  }
  CHECK(ended > 300);
  CHECK(grouped >= 40);
  CHECK(processed >= 12);
}

/// Every answer there is after `prefix`, by score; its ids of a search with max_length and the ends.
void enumerate(const Search& search, const Ids& prefix, double sum, std::map<Ids, double>& all) {
  const std::int32_t last = prefix.empty() ? search.start : prefix.back();
  const auto logits = search.toy.logits(prefix.size() + 1, last);
  const LogPartition partition = *log_partition(logits, exact_kernels());
  for (std::size_t id = 0; id < logits.size(); ++id) {
    Ids ids = prefix;
    ids.push_back(static_cast<std::int32_t>(id));
    const double score = sum + static_cast<double>(partition.log_probability(logits[id]));
    const bool ends = std::find(search.eos.begin(), search.eos.end(), ids.back()) != search.eos.end();
    if (ends || ids.size() == search.options.max_length) {
      all[ids] = score / std::pow(static_cast<double>(ids.size()), search.options.length_penalty);
    } else {
      enumerate(search, ids, score, all);
    }
  }
}

TEST_CASE("With a beam for every answer the search finds all of them, in order") {
  for (const double penalty : {0.0, 0.7, 2.0, -0.5}) {
    Search search{random_toy(4, 4, 5), 1, {}, {2}, {}};
    search.options.beams = 300;
    search.options.length_penalty = penalty;
    search.options.max_length = 4;
    search.options.stop = StopRule::kNever;
    std::map<Ids, double> all;
    enumerate(search, {}, 0, all);
    REQUIRE(all.size() == 1 + 3 + 9 + 27 * 4);
    const auto found = run(search, 300);
    REQUIRE(found.size() == all.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].rank == Approx(all.at(found[i].beam.ids)).margin(1e-9));
      if (i > 0) CHECK(found[i - 1].rank >= found[i].rank);
      all.erase(found[i].beam.ids);
    }
    CHECK(all.empty());
  }
}

TEST_CASE("Groups without a penalty are independent searches; with a penalty they differ") {
  Search alone{random_toy(9, 8, 6), 0, {}, {3}, {}};
  alone.options.beams = 2;
  alone.options.max_length = 8;
  const auto expected = run(alone, 2);
  Search groups = alone;
  groups.options.beams = 6;
  groups.options.groups = 3;
  const auto found = run(groups, 6);
  REQUIRE(found.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(found[i].beam.ids == expected[i / 3].beam.ids);

  groups.options.diversity_penalty = 100;  // nothing outweighs it: no two groups take the same id in a step
  const auto diverse = run(groups, 6);
  std::vector<Ids> firsts;
  for (const auto& answer : diverse) {
    if (answer.beam.ids.size() == 8) firsts.push_back(answer.beam.ids);
  }
  for (std::size_t step = 0; step < 8; ++step) {
    std::map<std::int32_t, int> seen;
    for (const Ids& ids : firsts) ++seen[ids[step]];
    for (const auto& [id, count] : seen) CHECK(count <= 2);  // the two of one group
  }
}

TEST_CASE("Of equal candidates the lower beam and then the lower id comes first") {
  Search search;
  search.toy = {5, std::vector<float>(3 * 25, 0.0F)};
  search.options.beams = 3;
  search.options.max_length = 3;
  const auto found = run(search, 3);
  REQUIRE(found.size() == 3);
  CHECK(found[0].beam.ids == Ids{0, 0, 0});
  CHECK(found[1].beam.ids == Ids{0, 0, 1});
  CHECK(found[2].beam.ids == Ids{0, 0, 2});
}

TEST_CASE("A search whose beams run out of continuations ends") {
  BeamOptions options;
  options.beams = 2;
  options.max_length = 5;
  BeamSearch beams(options);
  const std::vector<std::vector<Continuation>> one = {{{7, -1.0F, -1.0F}}}, none = {{}};
  const auto never = [](std::size_t, std::int32_t) { return false; };
  beams.advance(one, never);
  REQUIRE(beams.running().size() == 1);
  CHECK(beams.parents()[0] == 0);
  beams.advance(none, never);
  CHECK(beams.done());
  CHECK(beams.best(2).empty());
}

TEST_CASE("Continuations after a chain are its row of log-probabilities, cut to the k best") {
  const std::vector<float> logits = row("masked", 3, 700);
  const LogPartition partition = *log_partition(logits, exact_kernels());
  ContinuationScratch scratch;
  std::vector<Continuation> found;
  const Chain none = *Chain::create({});
  REQUIRE(likeliest_after(none, logits, {{}, 0, {}, &exact_kernels()}, nullptr, 20, scratch, found));
  REQUIRE(found.size() == 20);
  for (const Continuation& c : found) {
    CHECK(c.score == c.logprob);
    CHECK(c.logprob == partition.log_probability(logits[static_cast<std::size_t>(c.id)]));
  }
  SamplingOptions penalty;
  penalty.set("repeat_penalty", 2);
  const Ids history = {found[4].id, found[9].id};
  std::vector<Continuation> penalised;
  REQUIRE(likeliest_after(*Chain::create(penalty), logits, {history, 0, {}, &exact_kernels()}, nullptr, 700,
                          scratch, penalised));
  for (const Continuation& c : penalised) {
    const bool seen = std::find(history.begin(), history.end(), c.id) != history.end();
    CHECK(c.score == (seen ? 2 * c.logprob : c.logprob));
    CHECK(std::isfinite(c.score));
  }
  const std::vector<float> broken(10, std::nanf(""));
  CHECK(
      likeliest_after(none, broken, {{}, 0, {}, &exact_kernels()}, nullptr, 3, scratch, found).error().code ==
      ErrorCode::kBadNumbers);
}

TEST_CASE("Similarity is the largest cosine with earlier states") {
  HiddenHistory history(6);
  const std::vector<float> a = {3, 0, 0, 0, 4, 0}, b = {0, 0, 2, 0, 0, 0}, zero(6, 0.0F);
  CHECK(history.closest(a.data()) == -1);
  history.add(b.data());
  CHECK(history.closest(a.data()) == Approx(0).margin(1e-12));
  history.add(a.data());
  const std::vector<float> half = {6, 0, 0, 0, 8, 10};
  CHECK(history.closest(half.data()) == Approx(std::sqrt(0.5)).epsilon(1e-6));
  const std::vector<float> against = {-3, 0, -2, 0, -4, 0};
  CHECK(history.closest(against.data()) == Approx(-2 / std::sqrt(29.0)).epsilon(1e-6));
  CHECK(history.closest(zero.data()) == 0);
  history.add(zero.data());
  CHECK(history.size() == 3);
}

TEST_CASE("Contrastive choice weighs likelihood against similarity; the first of a tie wins") {
  const std::vector<ContrastiveCandidate> candidates = {{0.5, 0.9}, {0.3, 0.2}, {0.3, 0.2}, {0.1, 0.1}};
  CHECK(choose_contrastive(candidates, 0) == 0);
  CHECK(choose_contrastive(candidates, 0.6) == 1);
  CHECK(choose_contrastive(candidates, 1) == 3);
}

}  // namespace
}  // namespace partita::internal::test
