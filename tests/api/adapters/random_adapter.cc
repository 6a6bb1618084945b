#include "tests/api/adapters/random_adapter.h"

#include <filesystem>
#include <random>

#include <unistd.h>

#include "tests/must.h"
#include "weights/codecs/codec.h"

namespace partita::internal::testing {
namespace {

std::vector<float> values_of(const Gguf& file, const TensorView& tensor) {
  std::vector<std::byte> buffer;
  const auto bytes = must(file.read(tensor.bytes, buffer));
  std::vector<float> values(tensor.shape.elements());
  codec(tensor.dtype).dequantize(bytes.data(), values.size(), values.data());
  return values;
}

std::vector<float> random_values(std::size_t count, float size, std::mt19937& random) {
  std::normal_distribution<float> normal(0, size);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

/// Adds scale * B A to a matrix [rows][cols]; of the embedding A is transposed.
void add_product(const float* a, const float* b, std::size_t rank, std::size_t rows, std::size_t cols,
                 double scale, bool embedding, float* w) {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) {
      double sum = 0;
      for (std::size_t k = 0; k < rank; ++k)
        sum += embedding ? static_cast<double>(a[r * rank + k]) * static_cast<double>(b[c * rank + k])
                         : static_cast<double>(b[r * rank + k]) * static_cast<double>(a[k * cols + c]);
      w[r * cols + c] = static_cast<float>(static_cast<double>(w[r * cols + c]) + scale * sum);
    }
  }
}

}  // namespace

std::vector<std::string> matrices_of(const Gguf& model) {
  std::vector<std::string> names;
  for (const TensorView& tensor : model.tensors()) {
    const std::string name(tensor.name);
    const bool of_layer = name.find(".attn_") != std::string::npos || name.find(".ffn_") != std::string::npos;
    const bool matrix = tensor.shape.size() >= 2 && name.ends_with(".weight");
    if (matrix && (of_layer || name == "token_embd.weight" || name == "output.weight")) names.push_back(name);
  }
  return names;
}

GgufWriter random_adapter(const Gguf& model, const AdapterSpec& spec) {
  GgufWriter file;
  file.add("general.type", "adapter")
      .add("general.architecture", must(model.get_string("general.architecture")));
  file.add("adapter.type", "lora").add("adapter.lora.alpha", spec.alpha);
  std::mt19937 random(static_cast<std::uint32_t>(spec.seed));
  for (const std::string& name : spec.tensors.empty() ? matrices_of(model) : spec.tensors) {
    const TensorView* const tensor = model.find_tensor(name);
    must(tensor != nullptr, "the model has no " + name);
    const std::size_t dims = tensor->shape.size(), slices = dims == 3 ? tensor->shape[0] : 1;
    const std::uint64_t rows = tensor->shape[dims - 2], cols = tensor->shape[dims - 1], rank = spec.rank;
    const bool embedding = name == "token_embd.weight";
    std::vector<std::uint64_t> a = {rank, cols}, b = {rows, rank};
    if (embedding) a = {rows, rank}, b = {cols, rank};
    if (dims == 3) a.insert(a.begin(), slices), b.insert(b.begin(), slices);
    const auto count = [](const std::vector<std::uint64_t>& shape) {
      std::size_t all = 1;
      for (const std::uint64_t length : shape) all *= length;
      return all;
    };
    file.add_tensor(name + ".lora_a", Dtype::kF32, a,
                    std::span<const float>(random_values(count(a), 0.1F, random)));
    file.add_tensor(name + ".lora_b", Dtype::kF32, b,
                    std::span<const float>(random_values(count(b), 0.1F, random)));
  }
  return file;
}

GgufWriter merged(const Gguf& model, const std::vector<Merge>& merges) {
  GgufWriter file;
  for (const GgufEntry& entry : model.metadata()) file.copy(entry);
  for (const TensorView& tensor : model.tensors()) {
    std::vector<float> values = values_of(model, tensor);
    const std::string name(tensor.name);
    for (const Merge& merge : merges) {
      const TensorView *a = merge.adapter->find_tensor(name + ".lora_a"),
                       *b = merge.adapter->find_tensor(name + ".lora_b");
      if (a == nullptr) continue;
      const std::size_t dims = tensor.shape.size(), slices = dims == 3 ? tensor.shape[0] : 1;
      const std::size_t rows = tensor.shape[dims - 2], cols = tensor.shape[dims - 1],
                        rank = b->shape[b->shape.size() - 1];
      const double scale =
          merge.scale * must(merge.adapter->get_float("adapter.lora.alpha")) / static_cast<double>(rank);
      const auto of_a = values_of(*merge.adapter, *a), of_b = values_of(*merge.adapter, *b);
      for (std::size_t s = 0; s < slices; ++s)
        add_product(of_a.data() + s * of_a.size() / slices, of_b.data() + s * of_b.size() / slices, rank,
                    rows, cols, scale, name == "token_embd.weight", values.data() + s * rows * cols);
    }
    file.add_tensor(name, Dtype::kF32, tensor.shape, std::span<const float>(values));
  }
  // The output of tied weights stays as it is.
  const TensorView* const table = model.find_tensor("token_embd.weight");
  if (!model.has_tensor("output.weight"))
    file.add_tensor("output.weight", Dtype::kF32, table->shape,
                    std::span<const float>(values_of(model, *table)));
  return file;
}

WrittenFile::WrittenFile(const GgufWriter& file, const std::string& name) {
  const auto place =
      std::filesystem::temp_directory_path() / ("partita_adapter_" + std::to_string(::getpid()));
  std::filesystem::create_directories(place);
  path_ = (place / name).string();
  const auto written = file.write(path_);
  must(written.ok(), written ? "" : written.error().message);
}

WrittenFile::~WrittenFile() {
  std::error_code none;
  std::filesystem::remove(path_, none);
  std::filesystem::remove(std::filesystem::path(path_).parent_path(), none);  // if it is empty
}

}  // namespace partita::internal::testing
