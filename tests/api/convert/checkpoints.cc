#include "tests/api/convert/checkpoints.h"

#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>

#include "tests/weights/safetensors/safetensors_writer.h"
#include "weights/codecs/codec.h"

namespace partita::internal::testing {
namespace {

namespace fs = std::filesystem;

}  // namespace

Checkpoint::Checkpoint() {
  std::string name = (fs::temp_directory_path() / "partita_checkpoint_XXXXXX").string();
  must(::mkdtemp(name.data()) != nullptr, "there is no temporary directory");
  directory_ = name;
  config = {{"architectures", {"LlamaForCausalLM"}},
            {"model_type", "llama"},
            {"hidden_act", "silu"},
            {"hidden_size", kHidden},
            {"intermediate_size", kFfn},
            {"num_hidden_layers", kLayers},
            {"num_attention_heads", kHeads},
            {"num_key_value_heads", kKvHeads},
            {"max_position_embeddings", 512},
            {"rms_norm_eps", 1e-5},
            {"rope_theta", 50000.0},
            {"rope_scaling", nullptr},
            {"vocab_size", kVocab},
            {"tie_word_embeddings", false}};
  add("model.embed_tokens.weight", {kVocab, kHidden});
  for (std::uint32_t i = 0; i < kLayers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    add(layer + "self_attn.q_proj.weight", {kHeads * kHeadDim, kHidden});
    add(layer + "self_attn.k_proj.weight", {kKvHeads * kHeadDim, kHidden});
    add(layer + "self_attn.v_proj.weight", {kKvHeads * kHeadDim, kHidden});
    add(layer + "self_attn.o_proj.weight", {kHidden, kHeads * kHeadDim});
    add(layer + "mlp.gate_proj.weight", {kFfn, kHidden});
    add(layer + "mlp.up_proj.weight", {kFfn, kHidden});
    add(layer + "mlp.down_proj.weight", {kHidden, kFfn});
    add(layer + "input_layernorm.weight", {kHidden});
    add(layer + "post_attention_layernorm.weight", {kHidden});
  }
  add("model.norm.weight", {kHidden});
  add("lm_head.weight", {kVocab, kHidden});
}

Checkpoint::~Checkpoint() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

const std::vector<float>& Checkpoint::add(const std::string& name, const std::vector<std::uint64_t>& shape) {
  std::uint64_t size = 1;
  for (const std::uint64_t dim : shape) size *= dim;
  std::mt19937 random(static_cast<std::uint32_t>(std::hash<std::string>()(name)));
  CheckpointTensor& tensor = tensors[name] = {shape, std::vector<float>(size)};
  for (float& value : tensor.values) value = static_cast<float>(static_cast<int>(random() % 255) - 127) / 128;
  return tensor.values;
}

void Checkpoint::set_head(const nlohmann::json& head) {
  tensors.erase("lm_head.weight");
  config["partita_head"] = head;
}

void Checkpoint::write_config() const { std::ofstream(directory_ / "config.json") << config; }

void Checkpoint::write() const {
  write_config();
  test::SafeTensorsWriter file;
  for (const auto& [name, tensor] : tensors) file.add(name, tensor.shape, tensor.values, tensor.type);
  const auto bytes = file.bytes();
  std::ofstream(directory_ / "model.safetensors", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

Result<ConvertResult> Checkpoint::convert(const std::string& type) const {
  write();
  ConvertOptions options;
  options.vocabulary = vocabulary();
  options.type = type;
  return partita::convert(directory(), output(), options);
}

Gguf Checkpoint::converted(const std::string& type) const {
  must(convert(type));
  return must(Gguf::open_whole(output()));
}

std::vector<float> values_of(const Gguf& file, std::string_view name,
                             std::initializer_list<std::uint64_t> shape) {
  const TensorView tensor = must(file.tensor(name, shape));
  std::vector<float> values(tensor.shape.elements());
  codec(tensor.dtype).dequantize(tensor.bytes.data(), values.size(), values.data());
  return values;
}

std::vector<std::int32_t> integers_of(const Gguf& file, std::string_view key) {
  const GgufArray* array = must(file.get_array(key));
  std::vector<std::int32_t> numbers;
  for (std::size_t i = 0; i < array->size(); ++i) {
    numbers.push_back(static_cast<std::int32_t>(array->int_at(i).value()));
  }
  return numbers;
}

std::vector<float> rows_of(const std::vector<float>& matrix, std::size_t first, std::size_t rows,
                           std::size_t cols) {
  const auto begin = matrix.begin() + static_cast<std::ptrdiff_t>(first * cols);
  return {begin, begin + static_cast<std::ptrdiff_t>(rows * cols)};
}

}  // namespace partita::internal::testing
