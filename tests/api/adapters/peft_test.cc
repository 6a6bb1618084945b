// Adapters as PEFT saves them give what PEFT computes, and the same bits as in llama.cpp's form.
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "api/adapters/peft_adapter.h"
#include "tests/api/tiny_chat.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;

constexpr double kTolerance = 1e-4;  // between log-probabilities

const std::string kData = PARTITA_TEST_DATA;

nlohmann::json read_record(const std::string& model) {
  std::ifstream in(kData + "/adapters/" + model + ".json");
  REQUIRE(in.good());
  return nlohmann::json::parse(in);
}

std::string adapter_path(const std::string& model, const std::string& adapter) {
  return kData + "/adapters/" + model + "/" + adapter;
}

Model open_exact(const std::string& name, bool checkpoint) {
  const std::string file = kData + "/families/" + name + ".gguf";
  OpenOptions options;
  options.threads = 2;
  options.exact = true;
  if (checkpoint) options.vocabulary = file;
  return must(Model::open(checkpoint ? kData + "/checkpoints/" + name : file, options));
}

double largest_difference(const Score& score, const nlohmann::json& expected) {
  REQUIRE(score.logprobs.size() == expected.size() + 1);
  double most = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(score.logprobs[i + 1]) - expected[i].get<double>()));
  return most;
}

TEST_CASE("adapters of PEFT give what PEFT computes") {
  const std::string name = GENERATE("llama3", "qwen2", "qwen3", "gemma3_linear", "qwen2moe", "phi3", "gpt2");
  const bool checkpoint = GENERATE(true, false);
  CAPTURE(name, checkpoint);
  if (name == "gpt2" && !checkpoint) return;  // refused below
  const nlohmann::json record = read_record(name);
  const auto ids = record["ids"].get<std::vector<TokenId>>();
  const Model model = open_exact(name, checkpoint);
  Session session = must(model.session());
  CHECK(largest_difference(must(session.score(ids)), record["plain"]) < kTolerance);
  for (const auto& one : record["cases"]) {
    CAPTURE(one["adapters"].dump());
    std::vector<AppliedAdapter> adapters;
    for (const auto& adapter : one["adapters"])
      adapters.push_back({must(Adapter::open(adapter_path(name, adapter), model)), 1});
    CHECK(largest_difference(must(session.score(ids, adapters)), one["logprobs"]) < kTolerance);
  }
}

TEST_CASE("an adapter has the same bits in PEFT's form and in llama.cpp's") {
  const std::string name = GENERATE("llama3", "qwen2", "qwen3", "gemma3_linear", "qwen2moe", "phi3");
  CAPTURE(name);
  const auto ids = read_record(name)["ids"].get<std::vector<TokenId>>();
  const Model model = open_exact(name, false);
  std::size_t compared = 0;
  for (const auto& one : fs::directory_iterator(kData + "/adapters/" + name)) {
    const fs::path file = fs::path(one.path()).concat(".gguf");
    if (!fs::is_directory(one.path()) || !fs::exists(file)) continue;
    CAPTURE(one.path().string());
    const Adapter peft = must(Adapter::open(one.path().string(), model)),
                  gguf = must(Adapter::open(file.string(), model));
    CHECK(peft.info().digest == gguf.info().digest);
    CHECK(peft.info().name == gguf.info().name);
    const auto logits = [&](const Adapter& adapter) {
      return must(must(model.session()).logits(ids, ids.size(), std::vector<AppliedAdapter>{{adapter, 1}}));
    };
    CHECK(logits(peft) == logits(gguf));
    ++compared;
  }
  CHECK(compared > 0);
}

std::string temporary(const std::string& name) {
  return (fs::temp_directory_path() / ("partita_" + name + std::to_string(::getpid()))).string();
}

Result<ConvertResult> convert_with(const std::string& name, const std::string& type,
                                   std::vector<MergedAdapter> adapters, const std::string& to) {
  ConvertOptions options;
  options.vocabulary = kData + "/families/" + name + ".gguf";
  options.type = type;
  options.adapters = std::move(adapters);
  return convert(kData + "/checkpoints/" + name, to, options);
}

TEST_CASE("a converted model has the adapters in its weights") {
  const std::string name = GENERATE("llama3", "qwen2", "phi3", "qwen2moe", "gpt2");
  CAPTURE(name);
  const nlohmann::json record = read_record(name);
  const auto ids = record["ids"].get<std::vector<TokenId>>();
  const std::string to = temporary("merged.gguf");
  for (const auto& one : record["cases"]) {
    CAPTURE(one["adapters"].dump());
    std::vector<MergedAdapter> adapters;
    for (const auto& adapter : one["adapters"]) adapters.push_back({adapter_path(name, adapter), 1});
    const ConvertResult result = must(convert_with(name, "f32", adapters, to));
    CHECK(result.adapters.size() == adapters.size());
    OpenOptions options;
    options.exact = true;
    const Model model = must(Model::open(to, options));
    CHECK(largest_difference(must(must(model.session()).score(ids)), one["logprobs"]) < kTolerance);
    must(convert_with(name, "q8_0", adapters, to));
  }
  fs::remove(to);
}

TEST_CASE("merged adapters have the same bytes in both forms, and a scale") {
  const std::string peft = temporary("peft.gguf"), gguf = temporary("gguf.gguf");
  const auto bytes = [](const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  must(convert_with("llama3", "f16", {{adapter_path("llama3", "plain"), 0.5F}}, peft));
  must(convert_with("llama3", "f16", {{adapter_path("llama3", "plain.gguf"), 0.5F}}, gguf));
  CHECK(bytes(peft) == bytes(gguf));
  must(convert_with("llama3", "f16", {}, gguf));
  CHECK(bytes(peft) != bytes(gguf));
  must(convert_with("llama3", "f16", {{adapter_path("llama3", "plain"), 0}}, peft));
  CHECK(bytes(peft) == bytes(gguf));
  fs::remove(peft);
  const auto tied =
      convert_with("gemma3_linear", "f32", {{adapter_path("gemma3_linear", "embedding"), 1}}, peft);
  REQUIRE(!tied);
  CHECK(tied.error().message.find("is its output too") != std::string::npos);
  const auto other = convert_with("llama3", "f32", {{adapter_path("qwen3", "plain"), 1}}, peft);
  REQUIRE(!other);
  CHECK(other.error().message.find("it is an adapter of another model") != std::string::npos);
  CHECK(!fs::exists(peft));
  fs::remove(gguf);
}

/// A directory with the tensors of an adapter and a changed configuration.
class ChangedAdapter {
 public:
  explicit ChangedAdapter(const nlohmann::json& changes) {
    const std::string from = adapter_path("llama3", "plain");
    fs::create_directories(path_);
    fs::copy_file(from + "/adapter_model.safetensors", path_ / "adapter_model.safetensors");
    std::ifstream in(from + "/adapter_config.json");
    nlohmann::json config = nlohmann::json::parse(in);
    config.update(changes);
    std::ofstream(path_ / "adapter_config.json") << config;
  }
  ~ChangedAdapter() { fs::remove_all(path_); }
  ChangedAdapter(const ChangedAdapter&) = delete;
  ChangedAdapter& operator=(const ChangedAdapter&) = delete;
  std::string path() const { return path_.string(); }

 private:
  fs::path path_ = fs::temp_directory_path() / "partita_changed_adapter";
};

TEST_CASE("what adapters of PEFT have besides LoRA is refused by name") {
  const Model model = open_exact("llama3", false);
  const auto refused = [&](const nlohmann::json& changes) {
    const ChangedAdapter changed(changes);
    const auto adapter = Adapter::open(changed.path(), model);
    return adapter ? std::string() : adapter.error().message;
  };
  const auto names = [&](const nlohmann::json& changes) {
    const std::string message = refused(changes);
    const std::string key = changes.begin().key();
    if (message.find("adapter_config.json': " + key + " is ") != std::string::npos) return true;
    UNSCOPED_INFO(message);
    return false;
  };
  CHECK(refused({{"lora_dropout", 0.5}}).empty());
  CHECK(names({{"use_dora", true}}));
  CHECK(names({{"bias", "all"}}));
  CHECK(names({{"modules_to_save", {"lm_head"}}}));
  CHECK(names({{"peft_type", "LOHA"}}));
  CHECK(names({{"target_parameters", {"experts.gate_up_proj"}}}));
  CHECK(names({{"lora_alpha", "8"}}));
  CHECK(names({{"lora_alpha", 1e300}}));
  CHECK(names({{"fan_in_fan_out", 1}}));
  CHECK(names({{"alpha_pattern", {{"^model.*q_proj", 8}}}}));
  for (const char* changes_base : {"pissa", "pissa_niter_16", "olora", "OLoRA", "corda", "loftq", "lora_ga"})
    CHECK(names({{"init_lora_weights", changes_base}}));
  for (const nlohmann::json& start :
       {nlohmann::json(true), nlohmann::json(false), nlohmann::json(nullptr), nlohmann::json("gaussian"),
        nlohmann::json("eva"), nlohmann::json("orthogonal"), nlohmann::json("mica")})
    CHECK(refused({{"init_lora_weights", start}}).empty());
  CHECK(refused({{"fan_in_fan_out", true}}).find("fan_in_fan_out says otherwise") != std::string::npos);

  const auto other = Adapter::open(adapter_path("qwen3", "plain"), model);
  REQUIRE(!other);
  CHECK(other.error().message.find("it is an adapter of another model") != std::string::npos);
  const Model gpt2 = open_exact("gpt2", false);
  const auto untold = Adapter::open(adapter_path("gpt2", "plain"), gpt2);
  REQUIRE(!untold);
  CHECK(untold.error().message.find("give the checkpoint's directory as the model") != std::string::npos);
}

}  // namespace
}  // namespace partita::internal::testing
