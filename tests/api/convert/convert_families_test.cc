// Checkpoints of all families that `partita convert` reads: the model file is the one that llama.cpp's
// converter writes, and the model has the log-probabilities of transformers. tests/oracles/record_families.py
// writes both.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/model_file.h"
#include "tests/api/convert/checkpoints.h"
#include "tests/catch.h"
#include "tests/sanitized.h"
#include "weights/codecs/codec.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;

const std::string kData = PARTITA_TEST_DATA;

/// The elements of a tensor.
std::vector<float> elements(const Gguf& file, const TensorView& tensor) {
  std::vector<std::byte> buffer;
  const auto bytes = must(file.read(tensor.bytes, buffer));
  std::size_t size = 1;
  for (const std::uint64_t n : tensor.shape) size *= n;
  std::vector<float> out(size);
  codec(tensor.dtype).dequantize(bytes.data(), size, out.data());
  return out;
}

/// A value as numbers or text, whatever its type.
std::string shown(const Gguf& file, const GgufEntry& entry) {
  std::string text;
  const auto number = [&](double value) { text += std::to_string(static_cast<float>(value)) + " "; };
  if (const auto* array = std::get_if<GgufArray>(&entry.value)) {
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (const auto flag = array->bool_at(i)) number(*flag);
      if (const auto whole = array->uint_at(i)) number(static_cast<double>(*whole));
      if (const auto value = array->float_at(i)) number(*value);
    }
    return text;
  }
  if (const auto value = file.get_float(entry.key)) {
    number(*value);
  } else if (const auto whole = file.get_uint(entry.key)) {
    number(static_cast<double>(*whole));
  } else if (const auto flag = file.get_bool(entry.key)) {
    number(*flag);
  } else if (const auto string = file.get_string(entry.key)) {
    text = *string;
  }
  return text;
}

/// Keys of models that llama.cpp's converter writes without looking at config.json: constants, or what only
/// the usual sizes of the family make right.
const std::set<std::string> kConstants = {
    "glm chatglm.attention.layer_norm_rms_epsilon",
    "falcon falcon.context_length",
    "falcon_new falcon.context_length",
    "hunyuan_dense_dynamic hunyuan-dense.context_length",
    "llama_dynamic llama.context_length",
    "hunyuan_dense_dynamic hunyuan-dense.rope.scaling.original_context_length",
    "kimi_linear kimi-linear.attention.value_length",
    "solar_open glm4moe.rope.dimension_count"};

/// Numbers are the same in the type of `theirs`; rates, which are exponentials, to their last bit.
void check_numbers(std::vector<float> ours, const TensorView& theirs, const std::vector<float>& expected) {
  if (theirs.name.ends_with(".ssm_a")) {
    REQUIRE(ours.size() == expected.size());
    for (std::size_t i = 0; i < ours.size(); ++i)
      ours[i] = std::abs(ours[i] - expected[i]) <= 0x1p-23F * std::abs(expected[i]) ? expected[i] : ours[i];
  }
  std::vector<std::byte> stored(theirs.bytes.size());
  codec(theirs.dtype).quantize(ours.data(), ours.size(), stored.data());
  codec(theirs.dtype).dequantize(stored.data(), ours.size(), ours.data());
  CHECK(ours == expected);
}

void check_same(const std::string& name, const Gguf& ours, const Gguf& theirs) {
  CHECK(must(ours.get_string("general.architecture")) == must(theirs.get_string("general.architecture")));
  for (const GgufEntry& entry : theirs.metadata()) {
    if (entry.key.starts_with("general.") || entry.key.starts_with("tokenizer.") ||
        kConstants.contains(name + " " + std::string(entry.key)))
      continue;
    INFO(entry.key);
    const GgufEntry* own = nullptr;
    for (const GgufEntry& one : ours.metadata()) own = one.key == entry.key ? &one : own;
    CHECK(own != nullptr);
    if (own == nullptr) continue;
    CHECK(shown(ours, *own) == shown(theirs, entry));
  }
  CHECK(ours.tensors().size() == theirs.tensors().size());
  for (const TensorView& tensor : theirs.tensors()) {
    INFO(tensor.name);
    const auto own = ours.tensor(tensor.name, tensor.shape);
    CHECK(own.ok());
    if (!own) continue;
    check_numbers(elements(ours, *own), tensor, elements(theirs, tensor));
  }
}

/// Metadata and tensors are the same to the bit.
void check_equal(const Gguf& one, const Gguf& other) {
  CHECK(one.metadata().size() == other.metadata().size());
  REQUIRE(one.tensors().size() == other.tensors().size());
  std::vector<std::byte> buffer, other_buffer;
  for (const TensorView& tensor : one.tensors()) {
    INFO(tensor.name);
    const TensorView twin = must(other.tensor(tensor.name, tensor.shape));
    CHECK(tensor.dtype == twin.dtype);
    CHECK(
        std::ranges::equal(must(one.read(tensor.bytes, buffer)), must(other.read(twin.bytes, other_buffer))));
  }
}

/// The recorded log-probabilities.
void check_scores(const std::string& path, const nlohmann::json& sequence,
                  const std::string& vocabulary = {}) {
  OpenOptions options;
  options.vocabulary = vocabulary;
  options.exact = true;
  const auto opened = Model::open(path, options);
  INFO((opened ? "" : opened.error().message));
  CHECK(opened.ok());
  if (!opened) return;
  const Model& model = *opened;
  Session session = must(model.session());
  const Score score = must(session.score(sequence["ids"].get<std::vector<TokenId>>()));
  double most = 0;
  for (std::size_t i = 1; i < score.ids.size(); ++i)
    most = std::max(most, std::abs(score.logprobs[i] - sequence["logprobs"][i].get<double>()));
  CHECK(most < 1e-4);
}

/// The path of a temporary file or directory.
fs::path temporary(const std::string& end) {
  return fs::temp_directory_path() / ("partita_families_" + std::to_string(::getpid()) + end);
}

}  // namespace

TEST_CASE("Layers that predict further tokens are left out") {
  const fs::path directory = temporary(""), path = temporary(".gguf");
  fs::copy(kData + "/checkpoints/llama3", directory);
  auto config = nlohmann::json::parse(std::ifstream(directory / "config.json"));
  config["num_hidden_layers"] = 1;  // of two
  ConvertOptions options;
  options.vocabulary = kData + "/families/llama3.gguf";
  for (const int further : {0, 1}) {
    config["num_nextn_predict_layers"] = further;
    std::ofstream(directory / "config.json") << config;
    const auto converted = convert(directory.string(), path.string(), options);
    CHECK(converted.ok() == (further == 1));
  }
  const Gguf file = must(Gguf::open_whole(path.string()));
  CHECK(file.has_tensor("blk.0.attn_norm.weight"));
  CHECK_FALSE(file.has_tensor("blk.1.attn_norm.weight"));
  fs::remove_all(directory);
  fs::remove(path);
}

TEST_CASE("A tied head has another scale than the embedding") {
  const fs::path directory = temporary(""), path = temporary(".gguf");
  fs::copy(kData + "/checkpoints/falcon_h1", directory);
  auto config = nlohmann::json::parse(std::ifstream(directory / "config.json"));
  config["tie_word_embeddings"] = true;
  std::ofstream(directory / "config.json") << config;
  ConvertOptions options;
  options.vocabulary = kData + "/families/falcon_h1.gguf";
  options.type = "f32";
  must(convert(directory.string(), path.string(), options));
  const Gguf file = must(Gguf::open_whole(path.string()));
  auto expected = elements(file, must(file.tensor("token_embd.weight", {128, 32})));
  for (float& value : expected) value *= 0.5F / 2.0F;  // lm_head_multiplier, embedding_multiplier
  CHECK(elements(file, must(file.tensor("output.weight", {128, 32}))) == expected);
  fs::remove_all(directory);
  fs::remove(path);
}

TEST_CASE("A model file that the engine would refuse is not written") {
  const fs::path directory = temporary(""), path = temporary(".gguf");
  fs::copy(kData + "/checkpoints/hunyuan_dense_dynamic", directory);
  auto config = nlohmann::json::parse(std::ifstream(directory / "config.json"));
  config["rope_parameters"]["rope_theta"] = 1e12;  // which alpha raises beyond the limit
  std::ofstream(directory / "config.json") << config;
  ConvertOptions options;
  options.vocabulary = kData + "/families/hunyuan_dense_dynamic.gguf";
  const auto refused = convert(directory.string(), path.string(), options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.starts_with("'" + path.string() + "': hunyuan-dense.rope.freq_base is "));
  CHECK(refused.error().message.ends_with(", and must be between 1 and 1e+12"));
  CHECK_FALSE(fs::exists(path));
  fs::remove_all(directory);
}

TEST_CASE("Checkpoints of every family become the model that they are") {
  const fs::path path = temporary(".gguf");
  for (const auto& entry : fs::directory_iterator(kData + "/checkpoints")) {
    const std::string name = entry.path().filename(), record_path = kData + "/families/" + name;
    INFO(name);
    const auto record = nlohmann::json::parse(std::ifstream(record_path + ".json"));
    ConvertOptions options;
    const Gguf theirs = must(Gguf::open_whole(record_path + ".gguf"));
    // Gemma 4's tokenizer is not known.
    const bool known = must(theirs.get_string("tokenizer.ggml.model")) != "gemma4";
    options.vocabulary = known ? record_path + ".gguf" : kData + "/families/gemma2.gguf";
    options.type = "f32";
    const auto converted = convert(entry.path().string(), path.string(), options);
    INFO((converted ? "" : converted.error().message));
    CHECK(converted.ok());
    if (!converted) continue;
    // Where llama.cpp's converter leaves something out, its file is another model.
    if (record["gguf_lacks"].is_null()) check_same(name, must(Gguf::open_whole(path.string())), theirs);
    const auto& sequence = record["sequences"][test::all_or(2, 1)];  // of 300 tokens, or of 7
    check_scores(path.string(), sequence);
    // The directory itself is the same model, in the types of its tensors.
    options.type = "";
    must(convert(entry.path().string(), path.string(), options));
    check_equal(must(open_model_file(entry.path().string(), options.vocabulary)),
                must(Gguf::open(path.string())));
    check_scores(entry.path().string(), sequence, options.vocabulary);
  }
  fs::remove(path);
}

}  // namespace partita::internal::testing
