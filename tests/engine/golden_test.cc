// The engine against what transformers computed in f32 on the same dequantized weights
// (tests/oracles/README.md).
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/models/families.h"
#include "tests/catch.h"
#include "tests/engine/runs.h"
#include "tests/engine/tiny_models.h"
#include "tests/sanitized.h"

using namespace partita;

using namespace partita::internal;
using namespace partita::internal::testing;

namespace {

using Tokens = std::vector<std::int32_t>;

constexpr int kThreads = 2;

/// The allowed difference of a model from the record.
struct Bounds {
  double mean;    // of |difference of log-probabilities|
  double logits;  // of a row, relative to its largest
  double same_top;
};

/// Limits: with 8-bit values in the cache (measured 0.0080 on SmolLM2, 0.0133 on Gemma), otherwise (1.8e-3 at
/// most), and with --exact (4.4e-6), each with a margin.
Bounds bounds_of(const Transformer& model) {
  if (model.exact()) return {.mean = 2e-5, .logits = 1e-5, .same_top = 1};
  const double mean = uses_tiles(model.isa()) || model.kv_type() == KvType::kF16I8 ? 0.015 : 0.004;
  return {.mean = mean, .logits = mean, .same_top = 0.99};
}

/// Tiles round both factors of every product of a prompt to the 8 bits of bf16, an error of up to 2^-9 each.
/// Tiny models are affected most, because their weights are random and their logits are close:
/// log-probabilities by 0.042 on average (of 7 tokens; 0.031 of 300), logits by 0.019, and 6 of 300 most
/// likely tokens differ.
Bounds tiny_bounds_of(const Transformer& model) {
  if (uses_tiles(model.isa())) return {.mean = 0.05, .logits = 0.025, .same_top = 0.975};
  return bounds_of(model);
}

nlohmann::json read_record(const std::string& name) {
  std::ifstream in(std::string(PARTITA_TEST_DATA) + "/engine/" + name);
  INFO(name);
  REQUIRE(in.good());
  return nlohmann::json::parse(in);
}

/// Log-probabilities and most probable tokens of a sequence, as in a record; the first log-probability is
/// NaN.
struct Scores {
  std::vector<double> logprobs;
  Tokens top_ids;
};

Scores recorded(const nlohmann::json& record, std::size_t n) {
  Scores s;
  for (std::size_t i = 0; i < n; ++i) {
    const auto& value = record["logprobs"][i];
    s.logprobs.push_back(value.is_null() ? std::nan("") : value.get<double>());
    s.top_ids.push_back(record["top_ids"][i]);
  }
  return s;
}

Scores scores_of(const Transformer& model, std::span<const float> hidden, const Tokens& ids) {
  constexpr std::size_t kRows = 64;  // of logits held at once
  const std::size_t width = model.config().hidden_size, vocab = model.config().vocab_size;
  Scores s{{std::nan("")}, {}};
  for (std::size_t first = 0; first < ids.size(); first += kRows) {
    const std::size_t rows = std::min(kRows, ids.size() - first);
    const std::vector<float> logits = logits_of(model, hidden.subspan(first * width, rows * width), kThreads);
    for (std::size_t r = 0; r < rows; ++r) {
      const auto row = std::span(logits).subspan(r * vocab, vocab);
      s.top_ids.push_back(argmax(row));
      if (first + r + 1 < ids.size()) s.logprobs.push_back(log_probability(row, ids[first + r + 1]));
    }
  }
  return s;
}

struct Agreement {
  double mean = 0;  // of |difference of log-probabilities|
  double largest = 0;
  double same_top = 0;  // share of positions
};

Agreement compare(const Scores& found, const Scores& expected) {
  REQUIRE(found.logprobs.size() == expected.logprobs.size());
  REQUIRE(found.top_ids.size() == expected.top_ids.size());
  Agreement a;
  const std::size_t n = found.top_ids.size();
  for (std::size_t i = 0; i < n; ++i) a.same_top += found.top_ids[i] == expected.top_ids[i];
  a.same_top /= static_cast<double>(n);
  for (std::size_t i = 1; i < n; ++i) {
    const double delta = std::abs(found.logprobs[i] - expected.logprobs[i]);
    a.mean += delta / static_cast<double>(n - 1);
    a.largest = std::max(a.largest, delta);
  }
  return a;
}

void check(const Agreement& a, const Transformer& model, const Bounds& bounds) {
  INFO("mean " << a.mean << ", largest " << a.largest << ", same top " << a.same_top);
  CHECK(a.mean <= bounds.mean);
  CHECK(a.same_top >= bounds.same_top);
  if (model.exact()) CHECK(a.largest <= 10 * bounds.mean);
}

/// Rows of recorded logits: the largest difference relative to the largest logit of the row.
double logit_difference(const Transformer& model, std::span<const float> hidden, const nlohmann::json& rows) {
  const std::size_t width = model.config().hidden_size;
  double worst = 0;
  for (const auto& row : rows) {
    const std::vector<float> found =
        logits_of(model, hidden.subspan(row["position"].get<std::size_t>() * width, width), 1);
    const auto expected = row["values"].get<std::vector<double>>();
    REQUIRE(found.size() == expected.size());
    double largest = 0, difference = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      difference = std::max(difference, std::abs(static_cast<double>(found[i]) - expected[i]));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

struct Way {
  const char* name;
  std::size_t chunk;
  Role role;
};

void check_tiny(const std::shared_ptr<const Transformer>& model, const nlohmann::json& record) {
  const Bounds bounds = tiny_bounds_of(*model);
  for (const auto& sequence : record["sequences"]) {
    const auto ids = sequence["ids"].get<Tokens>();
    for (const Way& way :
         {Way{"whole", Runner::kMaxRows, Role::kPrompt}, Way{"in chunks", 50, Role::kPrompt},
          Way{"token by token", 1, Role::kPrompt}, Way{"as generated", 1, Role::kGenerated}}) {
      INFO(ids.size() << " tokens, " << way.name);
      Runner runner(model, 1);
      KvSequence kv = runner.sequence();
      const std::vector<float> hidden = runner.run(kv, ids, way.chunk, way.role);
      check(compare(scores_of(*model, hidden, ids), recorded(sequence, ids.size())), *model, bounds);
      const double logits = logit_difference(*model, hidden, sequence["logits"]);
      INFO("logits differ by " << logits << " of the largest");
      CHECK(logits <= bounds.logits);
    }
  }
}

/// The first `tokens` of a recorded text, the prompt in chunks of 512.
void check_scores(const std::shared_ptr<const Transformer>& model, const nlohmann::json& record,
                  std::size_t tokens) {
  auto ids = record["ids"].get<Tokens>();
  ids.resize(std::min(tokens, ids.size()));
  Runner runner(model, kThreads);
  KvSequence kv = runner.sequence();
  const std::vector<float> hidden = runner.run(kv, ids, Runner::kMaxRows);
  const Agreement agreement = compare(scores_of(*model, hidden, ids), recorded(record, ids.size()));
  INFO(ids.size() << " tokens");
  check(agreement, *model, bounds_of(*model));
}

/// Continues a recorded prompt greedily; a step may differ if the two best tokens of the record are closer
/// than rounding.
void check_greedy(const std::shared_ptr<const Transformer>& model, const nlohmann::json& continuation,
                  std::size_t steps) {
  const auto prompt = continuation["prompt_ids"].get<Tokens>(), expected = continuation["ids"].get<Tokens>();
  const auto margins = continuation["margins"].get<std::vector<double>>();
  Runner runner(model, kThreads);
  KvSequence kv = runner.sequence();
  const std::size_t width = model->config().hidden_size;
  std::vector<float> hidden = runner.run(kv, prompt, Runner::kMaxRows);
  for (std::size_t i = 0; i < std::min(steps, expected.size()); ++i) {
    const std::int32_t next = argmax(logits_of(*model, std::span(hidden).last(width), kThreads));
    INFO("step " << i << " of '" << continuation["prompt"].get<std::string>() << "'");
    if (next != expected[i]) {
      CHECK(margins[i] < (model->exact() ? 1e-3 : 0.1));
      return;
    }
    hidden = runner.run(kv, {&next, 1}, 1, Role::kGenerated);
  }
}

// The slow instruction sets score only the beginning of a text and continue one prompt a little: a position
// does not depend on later tokens. With sanitizers, which check accesses and not numbers, all instruction
// sets do so.
constexpr std::size_t kTokens = test::all_or(10000, 200), kSlowTokens = test::all_or(160, 8);
constexpr std::size_t kSteps = test::all_or(64, 8), kSlowSteps = test::all_or(6, 2);
bool is_slow(const Transformer& model) { return model.exact() || model.isa() == Isa::kScalar; }

void check_model(const std::string& path, const std::string& record_name) {
  const nlohmann::json record = read_record(record_name);
  auto file = Gguf::open(path);
  REQUIRE(file.ok());
  const auto check_one = [&](const LoadOptions& options) {
    const auto model = load(*file, options);
    const bool slow = is_slow(*model);
    check_scores(model, record, slow ? kSlowTokens : kTokens);
    for (std::size_t i = 0; i < (slow ? 1 : record["greedy"].size()); ++i) {
      check_greedy(model, record["greedy"][i], slow ? kSlowSteps : kSteps);
    }
  };
  for (const Isa isa : engine_isas()) {
    DYNAMIC_SECTION(name(isa)) { check_one({.threads = kThreads, .isa = isa}); }
  }
  SECTION("values in 8 bits") { check_one({.threads = kThreads, .cache = KvType::kF16I8}); }
  SECTION("exact") { check_one({.threads = kThreads, .exact = true}); }
}

}  // namespace

TEST_CASE("Tiny models: logits of transformers, whole, in chunks and token by token") {
  for (const char* model_name : {"tiny_llama_tied_f32", "tiny_llama_untied_rope_f16", "tiny_gemma3_f16",
                                 "tiny_gemma3_f32", "tiny_qwen2_f32", "tiny_qwen3_f16"}) {
    SECTION(model_name) {
      const nlohmann::json record = read_record(std::string(model_name) + ".json");
      auto file = Gguf::open(std::string(PARTITA_TEST_DATA) + "/engine/" + model_name + ".gguf");
      REQUIRE(file.ok());
      for (const Isa isa : engine_isas()) {
        INFO("instruction set " << name(isa));
        check_tiny(load(*file, {.isa = isa}), record);
      }
      INFO("exact");
      check_tiny(load(*file, {.exact = true}), record);
    }
  }
}

TEST_CASE("Families: a model opens and has the logits of transformers, or is refused as unsupported") {
  // tests/oracles/record_families.py writes the files as llama.cpp's converter does.
  std::set<std::string> agree, proven;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(PARTITA_TEST_DATA) + "/families")) {
    if (entry.path().extension() != ".gguf") continue;
    const std::string model_name = entry.path().stem();
    INFO(model_name);
    const nlohmann::json record = read_record("../families/" + model_name + ".json");
    auto file = Gguf::open(entry.path());
    REQUIRE(file.ok());
    const auto exact = Transformer::load(*file, {.exact = true});
    if (!exact) {
      INFO(exact.error().message);
      const ErrorCode code = exact.error().code;
      CHECK((code == ErrorCode::kUnsupported || code == ErrorCode::kBadFile));
      continue;
    }
    if (!record["gguf_lacks"].is_null()) continue;  // the file is another model than the record's
    check_tiny(*exact, record);
    check_tiny(load(*file, {}), record);
    agree.insert(model_name);
    proven.insert((*exact)->config().family);
  }
  CHECK(agree == std::set<std::string>{
                     "arcee",         "ernie4_5",   "exaone4",      "exaone4_hybrid",  "gemma",
                     "gemma3_linear", "granite",    "granite_bias", "granitemoe",      "granitemoeshared",
                     "internlm3",     "llama3",     "llama_bias",   "llama_head_dim",  "llama_linear",
                     "llama_odd",     "llama_yarn", "mixtral",      "olmo2",           "olmo3_yarn",
                     "olmoe",         "phi3",       "phi3_window",  "qwen2",           "qwen2_tied_yarn",
                     "qwen2moe",      "qwen3",      "qwen3_bias",   "qwen3_tied_yarn", "qwen3moe",
                     "seed_oss",      "smollm3"});
  for (const Family* family : families()) {
    INFO(family->name);
    CHECK(proven.count(std::string(family->name)) == 1);  // no family is supported without a record
  }
}

TEST_CASE("Tiny models with an attention window and sinks: logits of transformers under such a mask",
          "[slow]") {
  const nlohmann::json records = read_record("tiny_windows.json");
  for (const auto& record : records["cases"]) {
    const auto model_name = record["model"].get<std::string>();
    LoadOptions options;
    options.attention_window = record["window"];
    options.attention_sinks = record["sinks"];
    INFO(model_name << ", window " << options.attention_window << ", sinks " << options.attention_sinks);
    auto file = Gguf::open(std::string(PARTITA_TEST_DATA) + "/engine/" + model_name);
    REQUIRE(file.ok());
    for (const Isa isa : engine_isas()) {
      INFO("instruction set " << name(isa));
      options.isa = isa;
      check_tiny(load(*file, options), record);
    }
    INFO("exact");
    options.exact = true;
    check_tiny(load(*file, options), record);
  }
}

TEST_CASE("SmolLM2: log-probabilities and greedy text of transformers", "[smollm2]") {
  const std::string path = find_test_model("SmolLM2-135M-Instruct.Q4_1.gguf");
  INFO("PARTITA_TEST_MODELS or models/ must hold SmolLM2-135M-Instruct.Q4_1.gguf");
  REQUIRE_FALSE(path.empty());
  check_model(path, "smollm2_scores.json");
}

TEST_CASE("Gemma 3: log-probabilities and greedy text of transformers, where the file is", "[gemma]") {
  // Its license does not allow fetching it automatically.
  const std::string path = find_test_model("gemma-3-270m-q4_k_m.gguf");
  if (path.empty()) {
    WARN("skipped: gemma-3-270m-q4_k_m.gguf is not in models/");  // tests/CMakeLists.txt looks for this
    return;
  }
  check_model(path, "gemma3_scores.json");
}
