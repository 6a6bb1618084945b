// Which layers of a converted model are local, against config.json.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "api/convert/convert_config.h"
#include "engine/models/config_reader.h"
#include "tests/api/convert/checkpoints.h"
#include "tests/catch.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
using Kinds = std::vector<LayerKind>;

const std::string kTinyModels = PARTITA_TEST_DATA;
constexpr std::uint32_t kLocalWindow = 16;

/// A checkpoint of tests/data/ whose config.json changes; its copy goes with it.
class ChangedCheckpoint {
 public:
  explicit ChangedCheckpoint(const std::string& name) {
    fs::copy(kTinyModels + "/checkpoints/" + name, directory_);
    options_.vocabulary = kTinyModels + "/families/" + name + ".gguf";
    config_ = Json::parse(std::ifstream(directory_ / "config.json"));
    // That the window is used, and where it begins, in the families of Qwen.
    config_.merge_patch(
        {{"sliding_window", kLocalWindow}, {"use_sliding_window", true}, {"max_window_layers", 0}});
  }
  ~ChangedCheckpoint() { fs::remove_all(directory_); }
  ChangedCheckpoint(const ChangedCheckpoint&) = delete;
  ChangedCheckpoint& operator=(const ChangedCheckpoint&) = delete;

  std::size_t layers() const { return config_["num_hidden_layers"]; }

  /// The layers of the model file with these keys changed (null: taken away).
  Kinds kinds(const Json& patch) const {
    Json config = config_;
    config.merge_patch(patch);
    std::ofstream(directory_ / "config.json") << config;
    const fs::path path = directory_ / "model.gguf";
    must(convert(directory_.string(), path.string(), options_));
    Kinds kinds = must(read_config(must(Gguf::open_whole(path.string())))).layer_kinds;
    fs::remove(path);
    return kinds;
  }

 private:
  fs::path directory_ = fs::temp_directory_path() / ("partita_windows_" + std::to_string(::getpid()));
  ConvertOptions options_;
  Json config_;
};

bool same(const LayerKind& a, const LayerKind& b) { return a.window == b.window && a.rope == b.rope; }

bool all_are(const Kinds& kinds, const LayerKind& kind) {
  return std::all_of(kinds.begin(), kinds.end(), [&](const LayerKind& one) { return same(one, kind); });
}

TEST_CASE("Layers are local where config.json says it") {
  struct Case {
    const char* name;
    std::size_t period;  // without layer_types; 0: all are local
  };
  for (const auto& [name, period] :
       {Case{"gemma2", 2}, Case{"gemma3_linear", 6}, Case{"exaone4_hybrid", 4}, Case{"exaone_moe", 4},
        Case{"afmoe", 4}, Case{"cohere2", 4}, Case{"gpt_oss", 2}, Case{"olmo3_yarn", 4}, Case{"laguna", 1},
        Case{"mellum", 1}, Case{"qwen2_window", 0}, Case{"dots1", 0}}) {
    INFO(name);
    const ChangedCheckpoint checkpoint(name);
    const auto with_types = [&](const char* odd, const char* even) {
      Json types = Json::array();
      for (std::size_t i = 0; i < checkpoint.layers(); ++i) types.push_back(i % 2 == 1 ? odd : even);
      return checkpoint.kinds({{"layer_types", types}});
    };
    const Kinds mixed = with_types("sliding_attention", "full_attention");
    REQUIRE(mixed.size() == checkpoint.layers());
    const LayerKind global = mixed[0], local = mixed[1];
    CHECK(global.window == 0);
    CHECK(local.window == kLocalWindow);
    for (std::size_t i = 0; i < mixed.size(); ++i) CHECK(same(mixed[i], mixed[i % 2]));
    CHECK(all_are(with_types("full_attention", "full_attention"), global));
    CHECK(all_are(with_types("sliding_attention", "sliding_attention"), local));

    const Kinds usual = checkpoint.kinds({{"layer_types", nullptr}});
    for (std::size_t i = 0; i < usual.size(); ++i)
      CHECK(same(usual[i], period == 0 || i % period != period - 1 ? local : global));
  }
}

TEST_CASE("A model without a window has none") {
  // Not the window that model files of Gemma 2 mean where they give none.
  const ChangedCheckpoint checkpoint("gemma2");
  for (const Json& window : {Json(0), Json(kLocalWindow)}) {
    const Json patch = {{"layer_types", {"full_attention", "full_attention"}}, {"sliding_window", window}};
    for (const LayerKind& kind : checkpoint.kinds(patch)) CHECK(kind.window == 0);
  }
}

TEST_CASE("Kinds of layers that are unknown, or lack their window, are refused") {
  const auto error = [](const char* name, const Json& patch) {
    Json config = Json::parse(std::ifstream(kTinyModels + "/checkpoints/" + name + "/config.json"));
    config.update(patch);
    const auto parsed = parse_checkpoint_config(config.dump(), "c");
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code == ErrorCode::kUnsupported);
    return parsed.error().message;
  };
  for (const char* name : {"gemma2", "gpt_oss", "qwen2_window", "dots1"}) {
    CHECK(error(name, {{"layer_types", {"full_attention", "chunked_attention"}}, {"sliding_window", 8}}) ==
          "'c': layer_types is an array, and only 'sliding_attention' and 'full_attention' can be converted, "
          "not 'chunked_attention'");
    CHECK_THAT(
        error(name, {{"layer_types", {"full_attention", "sliding_attention"}}, {"sliding_window", nullptr}}),
        Contains("'c': sliding_window is missing, and layer_types has local layers, which need a window"));
  }
  CHECK_THAT(error("qwen2_window",
                   {{"layer_types", {"full_attention", "sliding_attention"}}, {"use_sliding_window", false}}),
             Contains("use_sliding_window is false, and layer_types has local layers"));
}

}  // namespace
}  // namespace partita::internal::testing
