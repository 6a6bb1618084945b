// Searches against what transformers and the papers' references found (tests/oracles/record_beams.py), in the
// exact arithmetic: the same ids, scores within 1e-3.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "api/loaded_model.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"
#include "tests/engine/runs.h"
#include "tests/sanitized.h"

namespace partita::internal::testing {
namespace {

using Ids = std::vector<TokenId>;
using Json = nlohmann::json;

Json read_record(const std::string& name) {
  std::ifstream in(std::string(PARTITA_TEST_DATA) + "/search/" + name);
  INFO(name);
  REQUIRE(in.good());
  return Json::parse(in);
}

EarlyStopping early_stopping(const Json& early) {
  if (early.is_string()) return EarlyStopping::kNever;
  return early.get<bool>() ? EarlyStopping::kTrue : EarlyStopping::kFalse;
}

bool is_contrastive(const Json& a_case) { return a_case.contains("alpha"); }

Request request_of(const Json& a_case) {
  Request request;
  request.ids = a_case["prompt"].get<Ids>();
  request.max_tokens = a_case["max_new"];
  if (is_contrastive(a_case)) request.sampling.top_k = a_case["top_k"];
  return request;
}

Search search_of(const Json& a_case) {
  Search search;
  if (is_contrastive(a_case)) {
    search.penalty_alpha = a_case["alpha"];
    return search;
  }
  search.beams = a_case["beams"];
  search.n_best = search.beams;
  search.length_penalty = a_case["length_penalty"];
  search.early_stopping = early_stopping(a_case["early"]);
  search.groups = a_case.value("groups", 1);
  search.diversity_penalty = a_case.value("diversity", 0.0F);
  return search;
}

void check_case(Session& session, const Json& a_case, double tolerance) {
  Json shown = a_case;
  shown.erase("answers");
  INFO(shown.dump());
  const SearchResult result = must(session.search(request_of(a_case), search_of(a_case)));
  const Json& expected = a_case["answers"];
  REQUIRE(result.answers.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("answer " << i);
    CHECK(result.answers[i].ids == expected[i]["ids"].get<Ids>());
    CHECK(result.answers[i].score == Approx(expected[i]["score"].get<double>()).margin(tolerance));
  }
}

Model open_exact(const std::string& path) {
  OpenOptions options;
  options.exact = true;
  options.threads = 2;
  return must(Model::open(path, options));
}

void check_ends(const Model& model, const Json& a_case) {
  CHECK(model.impl().tokenizer->specials().end_of_generation == a_case["eos"].get<Ids>());
}

constexpr std::size_t kTinyEvery = test::all_or(1, 8), kSmolKinds = test::all_or(7, 1);
constexpr std::size_t kKinds = 7;  // searches recorded of each prompt of SmolLM2, one after another

/// The searches of SmolLM2 at these indices of its record.
void check_smollm2(const Json& record, const std::vector<std::size_t>& indices) {
  const std::string path = find_test_model(record["model"]);
  INFO("PARTITA_TEST_MODELS or models/ must hold " << record["model"]);
  REQUIRE_FALSE(path.empty());
  const Model model = open_exact(path);
  Session session = must(model.session());
  for (const std::size_t index : indices) {
    check_ends(model, record["cases"].at(index));
    check_case(session, record["cases"].at(index), 1e-3);
  }
}

TEST_CASE("Tiny models: beams are those of transformers, groups and contrastive search those of the papers") {
  const Json record = read_record("beams_tiny.json");
  std::string name;
  std::optional<Model> model;
  std::optional<Session> session;
  std::size_t ended = 0;
  for (std::size_t i = 0; i < record["cases"].size(); i += kTinyEvery) {
    const Json& a_case = record["cases"][i];
    if (a_case["model"] != name) {
      name = a_case["model"];
      model = open_exact(std::string(PARTITA_TEST_DATA) + "/engine/" + name + ".gguf");
      session = must(model->session());
      check_ends(*model, a_case);
    }
    check_case(*session, a_case, 1e-4);
    for (const Json& answer : a_case["answers"]) ended += answer["ids"].size() < a_case["max_new"];
  }
  CHECK(ended > 0);
}

TEST_CASE("SmolLM2: each kind of search once, of another prompt each", "[smollm2]") {
  const Json record = read_record("beams_smollm2.json");
  const std::size_t prompts = record["cases"].size() / kKinds;
  std::vector<std::size_t> indices;
  for (std::size_t kind = 0; kind < kSmolKinds; ++kind) indices.push_back(3 * kind % prompts * kKinds + kind);
  check_smollm2(record, indices);
}

// build/release/search_golden_test "[.full]"
TEST_CASE("SmolLM2: all searches that are recorded", "[.full]") {
  const Json record = read_record("beams_smollm2.json");
  std::vector<std::size_t> indices(record["cases"].size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  check_smollm2(record, indices);
}

}  // namespace
}  // namespace partita::internal::testing
