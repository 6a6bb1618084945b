// A tiny model with changed metadata, tensor shapes and tensor types, which still parses as GGUF. It must be
// refused or run. Bytes: the model, then the changes: kind, target and new value of each.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/api/tiny_chat.h"
#include "tests/fuzz/support.h"
#include "weights/codecs/codec.h"
#include "weights/gguf/writer.h"

namespace partita::internal::fuzz {
namespace {

/// An open model file, from which entries are copied.
struct Base {
  explicit Base(testing::ChatFile what)
      : file(std::make_unique<testing::ChatModelFile>(std::move(what))),
        gguf(testing::must(Gguf::open_whole(file->path()))) {}
  /// One of tests/data/families.
  explicit Base(const char* family)
      : gguf(
            testing::must(Gguf::open_whole(std::string(PARTITA_TEST_DATA "/families/") + family + ".gguf"))) {
  }
  std::unique_ptr<testing::ChatModelFile> file;
  Gguf gguf;
};

testing::ChatFile small(testing::TinySpec spec, const std::string& head, bool bands) {
  spec.layers = spec.gemma() ? spec.layers : 1;
  testing::ChatFile file;
  file.spec = std::move(spec);
  file.head = head;
  file.bands = bands;
  return file;
}

/// Models of a family each, with the parts that no other family has.
constexpr const char* kFamilies[] = {"dbrx",
                                     "deepseek3",
                                     "falcon",
                                     "falcon_h1",
                                     "gemma2",
                                     "gemma3n",
                                     "gemma4_moe",
                                     "gemma4_small",
                                     "glm4moe",
                                     "gpt2",
                                     "gpt_oss",
                                     "granitehybrid_moe_nope",
                                     "jamba",
                                     "kimi_linear",
                                     "lfm2moe",
                                     "llama4",
                                     "mamba",
                                     "mamba2",
                                     "mimo_v2_flash",
                                     "minicpm3",
                                     "mixtral",
                                     "nemotron_h",
                                     "phi3_longrope_partial_tied",
                                     "qwen35",
                                     "qwen35moe",
                                     "rwkv7_odd"};

std::vector<Base> open_models() {
  using testing::tiny_gemma3, testing::tiny_llama;
  std::vector<Base> all;
  all.emplace_back(small(tiny_llama(Dtype::kF32), "", false));
  all.emplace_back(small(tiny_llama(Dtype::kQ8_0), "", false));
  all.emplace_back(small(tiny_gemma3(Dtype::kF16), "", false));
  for (const char* head : {"adaptive", "classes", "tree", "mixture"})
    all.emplace_back(small(tiny_llama(Dtype::kF32), head, false));
  all.emplace_back(small(tiny_llama(Dtype::kF32), "adaptive", true));
  for (const char* family : kFamilies) all.emplace_back(family);
  return all;
}

const Gguf& base_model(std::size_t which) {
  static const std::vector<Base> models = open_models();
  return models[which % models.size()].gguf;
}

/// The target of a change: an entry or tensor by number, or a name.
template <class Named>
std::string read_name(Input& input, const Named& named, std::size_t count) {
  const std::size_t number = input.byte();
  if (number == 255 || count == 0) return input.string(40);
  return std::string(named(number % count));
}

void add_value(const std::string& key, Input& input, GgufWriter& file) {
  switch (input.byte() % 9) {
    case 0:
      return void(file.add(key, static_cast<std::uint32_t>(input.number(4))));
    case 1:
      return void(file.add(key, static_cast<float>(static_cast<std::int16_t>(input.word())) / 64));
    case 2:
      return void(file.add(key, input.string(60)));
    case 3:
      return void(file.add(key, input.byte() % 2 == 1));
    case 4:
      return void(file.add(key, input.number(8)));
    case 5: {
      std::vector<std::int32_t> values(input.byte());
      for (std::int32_t& value : values) value = static_cast<std::int16_t>(input.word());
      return void(file.add(key, values));
    }
    case 6: {
      std::vector<std::string> values(input.byte() % 32);
      for (std::string& value : values) value = input.string(8);
      return void(file.add(key, values));
    }
    case 7: {
      std::vector<bool> values(input.byte() % 32);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = input.byte() % 2 == 1;
      return void(file.add(key, values));
    }
    default:
      return;  // the key is removed
  }
}

/// Gives a tensor another shape and type; its new data repeats its old bytes.
void add_tensor(const TensorView& tensor, Input& input, GgufWriter& file) {
  constexpr std::array kTypes = {
      Dtype::kF32,     Dtype::kF16,   Dtype::kBF16,   Dtype::kQ4_0,    Dtype::kQ4_1,  Dtype::kQ5_0,
      Dtype::kQ5_1,    Dtype::kQ8_0,  Dtype::kQ4_K,   Dtype::kQ5_K,    Dtype::kQ6_K,  Dtype::kMXFP4,
      Dtype::kQ2_K,    Dtype::kQ3_K,  Dtype::kIQ4_NL, Dtype::kIQ4_XS,  Dtype::kNVFP4, Dtype::kIQ3_S,
      Dtype::kIQ3_XXS, Dtype::kIQ2_S, Dtype::kIQ2_XS, Dtype::kIQ2_XXS, Dtype::kIQ1_S, Dtype::kIQ1_M,
      Dtype::kTQ1_0,   Dtype::kTQ2_0, Dtype::kQ1_0,   Dtype::kQ2_0};
  const unsigned how = input.byte();
  if (how == 255) return;  // the tensor is removed
  const Dtype type = how % 32 < kTypes.size() ? kTypes[how % 32] : tensor.dtype;
  std::vector<std::uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
  if (how & 64) shape.resize(1 + input.byte() % 4, 1);
  for (std::uint64_t& dim : shape) dim = how & 32 ? 1 + input.word() % 1024 : dim;
  std::uint64_t elements = 1;
  for (const std::uint64_t dim : shape) elements *= dim;
  if (elements > (1 << 16) || shape.back() % block_elements(type) != 0) return;
  std::vector<std::byte> blocks(elements / block_elements(type) * block_bytes(type));
  for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = tensor.bytes[i % tensor.bytes.size()];
  file.add_tensor(tensor.name, type, shape, blocks);
}

std::string changed_model(Input& input) {
  const Gguf& base = base_model(input.byte());
  GgufWriter file;
  std::vector<std::string> changed;
  const auto is_changed = [&](std::string_view name) {
    return std::find(changed.begin(), changed.end(), name) != changed.end();
  };
  for (unsigned count = input.byte() % 8; count > 0; --count) {
    const std::string key = read_name(
        input, [&](std::size_t i) { return base.metadata()[i].key; }, base.metadata().size());
    if (key.empty() || is_changed(key)) continue;
    changed.push_back(key);
    add_value(key, input, file);
  }
  for (const GgufEntry& entry : base.metadata())
    if (!is_changed(entry.key)) file.copy(entry);
  for (unsigned count = input.byte() % 8; count > 0; --count) {
    const TensorView& tensor = base.tensors()[input.byte() % base.tensors().size()];
    if (is_changed(tensor.name)) continue;
    changed.emplace_back(tensor.name);
    add_tensor(tensor, input, file);
  }
  for (const TensorView& tensor : base.tensors()) {
    if (is_changed(tensor.name)) continue;
    const std::vector<std::uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
    file.add_tensor(tensor.name, tensor.dtype, shape, tensor.bytes);
  }
  const auto bytes = file.bytes();
  return bytes ? std::string(text_of(*bytes)) : std::string();
}

}  // namespace

void run_model(Bytes bytes) {
  Input input(bytes);
  const std::string changed = changed_model(input);
  if (changed.empty()) return;  // general.alignment, or the like
  const MemoryFile file(changed);
  const auto listed = inspect_json(file.path());
  if (!listed) require_message(listed.error());
  runs(file.path());
}

}  // namespace partita::internal::fuzz
