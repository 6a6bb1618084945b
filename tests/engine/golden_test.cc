// The engine against what transformers computed in f32 on the same dequantized weights
// (tests/oracles/README.md).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/engine/records.h"
#include "tests/engine/runs.h"
#include "tests/engine/tiny_models.h"
#include "tests/sanitized.h"

using namespace partita;

using namespace partita::internal;
using namespace partita::internal::testing;

namespace {

using Tokens = std::vector<std::int32_t>;

constexpr int kThreads = 2;

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
      check_sequence(*model, hidden, sequence, bounds);
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
  const Agreement agreement = compare(scores_of(*model, hidden, ids, kThreads), recorded(record, ids.size()));
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
