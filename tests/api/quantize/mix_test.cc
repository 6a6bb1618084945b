// Which type a mix gives each tensor, against what tests/oracles/record_mixes.py recorded of llama.cpp.
#include "api/quantize/mix.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/must.h"
#include "tests/packed.h"
#include "weights/gguf/writer.h"
#include "weights/input_file.h"

namespace partita::internal::testing {
namespace {

using Catch::Matchers::Contains;

const Mix& mix_of(std::string_view name) {
  return *std::find_if(mixes().begin(), mixes().end(), [&](const Mix& mix) { return mix.name == name; });
}

/// A model of which only names and shapes exist.
class Sketch {
 public:
  explicit Sketch(const std::string& architecture) { file_.add("general.architecture", architecture); }
  Sketch& key(const std::string& name, std::uint32_t value) {
    file_.add(name, value);
    return *this;
  }
  Sketch& tensor(const std::string& name, const std::vector<std::uint64_t>& shape,
                 Dtype dtype = Dtype::kF16) {
    file_.add_tensor(name, dtype, shape, [](std::uint64_t, std::span<std::byte>) { return Result<void>(); });
    return *this;
  }
  Gguf open() const { return must(file_.open("sketch")); }

 private:
  GgufWriter file_;
};

/// The matrices of a model with the sizes of the record.
Gguf model_of(const std::string& architecture, const nlohmann::json& sizes) {
  const std::uint64_t width = sizes.at("n_embd"), ffn = sizes.at("n_ff"), heads = sizes.at("n_head"),
                      kv = sizes.at("n_head_kv"), layers = sizes.at("n_layer"),
                      experts = sizes.value("n_expert", 0);
  constexpr std::uint64_t kHead = 128, kVocab = 4096;
  Sketch sketch(architecture);
  const auto key = [&](const char* name, std::uint64_t value) {
    sketch.key(architecture + name, static_cast<std::uint32_t>(value));
  };
  key(".block_count", layers);
  key(".attention.head_count", heads);
  key(".attention.head_count_kv", kv);
  if (experts > 0) key(".expert_count", experts);
  sketch.tensor("token_embd.weight", {kVocab, width}).tensor("output.weight", {kVocab, width});
  sketch.tensor("output_norm.weight", {width}, Dtype::kF32);
  for (std::uint64_t i = 0; i < layers; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    sketch.tensor(layer + "attn_norm.weight", {width}, Dtype::kF32);
    sketch.tensor(layer + "attn_q.weight", {heads * kHead, width});
    sketch.tensor(layer + "attn_k.weight", {kv * kHead, width});
    sketch.tensor(layer + "attn_v.weight", {kv * kHead, width});
    sketch.tensor(layer + "attn_output.weight", {width, heads * kHead});
    const std::string suffix = experts > 0 ? "_exps.weight" : ".weight";
    const auto stacked = [&](std::uint64_t rows, std::uint64_t cols) {
      return experts > 0 ? std::vector{experts, rows, cols} : std::vector{rows, cols};
    };
    sketch.tensor(layer + "ffn_up" + suffix, stacked(ffn, width));
    sketch.tensor(layer + "ffn_gate" + suffix, stacked(ffn, width));
    sketch.tensor(layer + "ffn_down" + suffix, stacked(width, ffn));
    if (experts > 0) sketch.tensor(layer + "ffn_gate_inp.weight", {experts, width}, Dtype::kF32);
  }
  return sketch.open();
}

/// The type of a matrix in the record.
std::string recorded(const nlohmann::json& mix, const std::string& tensor) {
  const bool in_layer = tensor.starts_with("blk.");
  const std::size_t dot = in_layer ? tensor.find('.', 4) : 0;
  const int layer = in_layer ? std::stoi(tensor.substr(4, dot - 4)) : -1;
  const std::string name = in_layer ? tensor.substr(dot + 1) : tensor;
  if (mix.at("others").contains(name)) {
    for (const auto& [type, layers] : mix.at("others").at(name).items()) {
      for (const int one : layers) {
        if (one == layer) return type;
      }
    }
  }
  return mix.at("base");
}

std::vector<std::string> types_of(const Gguf& model, std::string_view mix,
                                  const TypeOverrides& overrides = {}, bool importance = false) {
  std::vector<std::string> names;
  for (const TensorType& type : must(choose_types(model, mix_of(mix), overrides, importance)))
    names.emplace_back(name(type.dtype));
  return names;
}

}  // namespace

TEST_CASE("mixes give the types that llama.cpp gives") {
  const std::string path = std::string(PARTITA_TEST_DATA) + "/weights/mixes.json";
  const auto record = nlohmann::json::parse(must(read_text_file(path, "a record", std::size_t{1} << 24)));
  const std::pair<const char*, const char*> models[] = {
      {"qwen3-0.6b", "qwen3"}, {"meta-llama-3.1-70b-instruct", "llama"}, {"gpt-oss-120b", "gpt-oss"}};
  for (const auto& [name, architecture] : models) {
    const auto& one = record.at("models").at(name);
    const Gguf model = model_of(architecture, one.at("sizes"));
    for (const Mix& mix : mixes()) {
      const std::string theirs = mix.name == "MXFP4" ? "MXFP4_MOE" : std::string(mix.name);
      const auto types = types_of(model, mix.name, {}, mix.name == "Q2_K_S");
      for (std::size_t i = 0; i < types.size(); ++i) {
        const TensorView& tensor = model.tensors()[i];
        const bool matrix = tensor.dtype == Dtype::kF16;
        CAPTURE(name, mix.name, tensor.name);
        CHECK(types[i] == (matrix ? recorded(one.at("mixes").at(theirs), std::string(tensor.name)) : "F32"));
      }
    }
  }
}

TEST_CASE("overrides: by name, of embedding and head, tied or not") {
  Sketch sketch("llama");
  sketch.key("llama.block_count", 1).tensor("token_embd.weight", {512, 256});
  sketch.tensor("blk.0.attn_q.weight", {256, 256}).tensor("blk.0.attn_k.weight", {256, 256});
  const Gguf tied = sketch.open();
  using Names = std::vector<std::string>;
  CHECK(types_of(tied, "Q5_0") == Names{"Q6_K", "Q5_0", "Q5_0"});
  TypeOverrides overrides{{{"attn_k", Dtype::kQ8_0}, {"attn", Dtype::kQ4_K}}, {}, {}};
  CHECK(types_of(tied, "Q5_0", overrides) == Names{"Q6_K", "Q4_K", "Q8_0"});
  overrides.output = Dtype::kQ4_0;
  CHECK(types_of(tied, "Q5_0", overrides) == Names{"Q4_0", "Q4_K", "Q8_0"});
  overrides.embedding = Dtype::kQ5_1;
  CHECK(types_of(tied, "Q5_0", overrides) == Names{"Q5_1", "Q4_K", "Q8_0"});
  const Gguf untied = sketch.tensor("output.weight", {512, 256}).open();
  CHECK(types_of(untied, "Q5_0", overrides) == Names{"Q5_1", "Q4_K", "Q8_0", "Q4_0"});
  CHECK(types_of(untied, "Q5_0") == Names{"Q5_0", "Q5_0", "Q5_0", "Q6_K"});
}

TEST_CASE("columns that are no whole blocks get smaller ones, or F16") {
  const Gguf model = Sketch("llama")
                         .key("llama.block_count", 1)
                         .tensor("a.weight", {64, 96})
                         .tensor("b.weight", {64, 40})
                         .tensor("c.weight", {1, 256})
                         .open();
  const std::pair<const char*, const char*> smaller[] = {
      {"Q2_K", "Q4_0"}, {"Q3_K_S", "Q4_0"},   {"Q4_K_S", "Q5_0"}, {"Q5_K_S", "Q5_1"},
      {"Q6_K", "Q8_0"}, {"IQ4_XS", "IQ4_NL"}, {"Q4_0", "Q4_0"}};
  for (const auto& [mix, type] : smaller) {
    CAPTURE(mix);
    CHECK(types_of(model, mix) == std::vector<std::string>{type, "F16", "F16"});
    const auto types = must(choose_types(model, mix_of(mix), {}, false));
    CHECK(types[0].fallback == (std::string(mix) != "Q4_0"));
    CHECK(types[1].fallback);
    CHECK_FALSE(types[2].fallback);
  }
}

TEST_CASE("models with eight experts, and importance") {
  Sketch sketch("llama");
  sketch.key("llama.block_count", 16).key("llama.expert_count", 8).tensor("output.weight", {256, 256});
  sketch.tensor("blk.15.attn_v.weight", {256, 256}).tensor("blk.15.attn_k.weight", {256, 256});
  sketch.tensor("blk.15.attn_output.weight", {256, 256}).tensor("blk.1.ffn_down_exps.weight", {8, 256, 256});
  const Gguf model = sketch.open();
  using Names = std::vector<std::string>;
  CHECK(types_of(model, "Q4_K_M") == Names{"Q6_K", "Q8_0", "Q8_0", "Q5_K", "Q6_K"});
  CHECK(types_of(model, "Q4_0") == Names{"Q6_K", "Q8_0", "Q8_0", "Q4_0", "Q4_0"});
  CHECK(types_of(model, "Q4_0", {}, true) == Names{"Q6_K", "Q8_0", "Q8_0", "Q4_0", "Q4_1"});
  const auto refused = choose_types(model, mix_of("Q2_K_S"), {}, false);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::kInvalidArgument);
  CHECK_THAT(refused.error().message,
             Contains("Q2_K_S") && Contains("needs importance") && Contains("blk.15"));
}

}  // namespace partita::internal::testing
