#include "tests/fuzz/damage.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "weights/codecs/codec.h"
#include "weights/gguf/writer.h"

namespace partita::internal::fuzz {
namespace {

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) { return random() % std::max<std::size_t>(limit, 1); }

template <class T, std::size_t N>
T any_of(Random& random, const std::array<T, N>& values) {
  return values[below(random, N)];
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                kInfinity = std::numeric_limits<float>::infinity();

// --- values of keys ---

std::int64_t other_integer(Random& random, std::int64_t value) {
  const std::array<std::int64_t, 16> values = {
      0,  1,         2,         3,          7,         64,        65535,     1 << 20,
      -1, INT32_MIN, INT32_MAX, UINT32_MAX, INT64_MAX, value - 1, value + 1, value * 2};
  return any_of(random, values);
}

double other_number(Random& random, double value) {
  const std::array<double, 12> values = {0,     1,     -1,   kNan,      kInfinity,  -kInfinity,
                                         1e-30, 1e-40, 1e30, value / 2, value * -1, value * 1000};
  return any_of(random, values);
}

/// Numbers of an array: fewer, none, one more, or one of them another.
template <class T, class Other>
void change_numbers(Random& random, std::vector<T>& values, Other other) {
  const std::size_t way = below(random, 5);
  if (way == 0) return values.clear();
  if (way == 1) return values.resize(below(random, values.size()));
  if (way == 2) return values.push_back(values.empty() ? T() : T(values.back()));
  if (values.empty()) return;
  const std::size_t at = below(random, values.size());
  values[at] = other(values[at]);
}

/// Adds a changed array; one element of the wrong type is left out.
void add_array(Random& random, const std::string& key, const GgufArray& array, GgufWriter& file) {
  const auto elements = [&](auto get, auto values) {
    for (std::size_t i = 0; i < array.size(); ++i) {
      if (const auto value = get(i)) values.emplace_back(*value);
    }
    return values;
  };
  if (array.type() == GgufType::kString) {
    auto values = elements([&](std::size_t i) { return array.string_at(i); }, std::vector<std::string>());
    change_numbers(random, values, [&](const std::string& text) { return text.substr(text.size() / 2); });
    file.add(key, values);
  } else if (array.type() == GgufType::kBool) {
    auto values = elements([&](std::size_t i) { return array.bool_at(i); }, std::vector<bool>());
    change_numbers(random, values, [](bool value) { return !value; });
    file.add(key, values);
  } else if (array.type() == GgufType::kFloat32 || array.type() == GgufType::kFloat64) {
    auto values = elements([&](std::size_t i) { return array.float_at(i); }, std::vector<float>());
    change_numbers(random, values,
                   [&](float value) { return static_cast<float>(other_number(random, value)); });
    file.add(key, values);
  } else {
    auto values = elements([&](std::size_t i) { return array.int_at(i); }, std::vector<std::int32_t>());
    change_numbers(random, values, [&](std::int32_t value) {
      return static_cast<std::int32_t>(other_integer(random, value));
    });
    file.add(key, values);
  }
}

/// The key with another value of its type; sometimes of another type, or none.
void add_changed(Random& random, const GgufEntry& entry, GgufWriter& file) {
  const std::string key(entry.key);
  const std::size_t way = below(random, 12);
  if (way == 0) return;
  if (way == 1) return void(file.add(key, "text"));
  if (way == 2) return void(file.add(key, std::vector<std::int32_t>{1, 0, 2}));
  if (way == 3) return void(file.add(key, static_cast<float>(other_number(random, 1))));
  if (const auto* value = std::get_if<std::uint64_t>(&entry.value)) {
    file.add(key, other_integer(random, static_cast<std::int64_t>(*value)));
  } else if (const auto* number = std::get_if<std::int64_t>(&entry.value)) {
    file.add(key, other_integer(random, *number));
  } else if (const auto* real = std::get_if<double>(&entry.value)) {
    file.add(key, static_cast<float>(other_number(random, *real)));
  } else if (const auto* flag = std::get_if<bool>(&entry.value)) {
    file.add(key, !*flag);
  } else if (const auto* text = std::get_if<std::string_view>(&entry.value)) {
    file.add(key, std::string(text->substr(0, below(random, text->size()))) +
                      any_of(random, std::array{"", "x", "0"}));
  } else {
    add_array(random, key, std::get<GgufArray>(entry.value), file);
  }
}

// --- tensors ---

/// The tensor with other dimensions, another type, or none; its data repeats the old bytes.
void add_reshaped(Random& random, const TensorView& tensor, GgufWriter& file) {
  std::vector<std::uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
  Dtype type = tensor.dtype;
  std::uint64_t& dim = shape[below(random, shape.size())];
  switch (below(random, 7)) {
    case 0:
      return;
    case 1:
      std::reverse(shape.begin(), shape.end());
      break;
    case 2:
      dim = 1;
      break;
    case 3:
      dim += below(random, 2) == 0 ? 1 : dim;
      break;
    case 4:
      dim = std::max<std::uint64_t>(1, dim / 2);
      break;
    case 5:
      type = any_of(random, std::array{Dtype::kF32, Dtype::kF16, Dtype::kBF16, Dtype::kQ8_0, Dtype::kQ4_K});
      break;
    default:
      shape.size() > 1 ? shape.pop_back() : shape.push_back(2);
  }
  if (shape.back() % block_elements(type) != 0) type = Dtype::kF32;
  std::uint64_t elements = 1;
  for (const std::uint64_t size : shape) elements *= size;
  std::vector<std::byte> blocks(elements / block_elements(type) * block_bytes(type));
  for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = tensor.bytes[i % tensor.bytes.size()];
  file.add_tensor(tensor.name, type, shape, blocks);
}

/// The tensor with one weight, or all, that are no finite numbers, or huge.
void add_spoiled(Random& random, const TensorView& tensor, GgufWriter& file) {
  std::vector<std::byte> bytes(tensor.bytes.begin(), tensor.bytes.end());
  const float value = any_of(random, std::array{kNan, kInfinity, -kInfinity, 3e38F, -60000.0F, 0.0F});
  const bool all = below(random, 4) == 0;
  if (tensor.dtype == Dtype::kF32) {
    const std::size_t count = bytes.size() / sizeof value, only = below(random, count);
    for (std::size_t i = 0; i < count; ++i)
      if (all || i == only) std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
  } else {
    bytes[below(random, bytes.size())] ^= static_cast<std::byte>(1 + below(random, 255));
  }
  file.add_tensor(tensor.name, tensor.dtype, tensor.shape, bytes);
}

// --- whole files ---

/// Where tensor data begins: the metadata and the list of tensors are before it.
std::size_t header_bytes(const std::string& bytes, const Gguf& file) {
  std::size_t first = bytes.size();
  for (const TensorView& tensor : file.tensors())
    first = std::min(first, bytes.size() - std::min<std::size_t>(bytes.size(), tensor.bytes.size()));
  return first;
}

Damaged cut(const std::string& bytes, std::size_t header, Random& random) {
  const std::size_t at = below(random, below(random, 2) == 0 ? header : bytes.size());
  return {bytes.substr(0, at), "cut to " + std::to_string(at) + " bytes"};
}

Damaged flip(std::string bytes, std::size_t header, Random& random) {
  Damaged out{std::move(bytes), "changed bytes"};
  for (std::size_t count = 1 + below(random, 4); count > 0; --count) {
    const std::size_t at = below(random, header);
    out.bytes[at] = static_cast<char>(out.bytes[at] ^ (1 << below(random, 8)));
    out.what += " " + std::to_string(at);
  }
  return out;
}

/// Names of up to three of `count` things.
template <class Name>
std::set<std::string, std::less<>> chosen(Random& random, std::size_t count, Name name) {
  std::set<std::string, std::less<>> names;
  for (std::size_t n = 1 + below(random, 3); n > 0 && count > 0; --n)
    names.emplace(name(below(random, count)));
  return names;
}

Damaged write_anew(const Gguf& file, Random& random) {
  std::vector<std::string> keys;  // that the family reads, mostly
  const bool all_keys = below(random, 4) == 0;
  for (const GgufEntry& entry : file.metadata()) {
    if (all_keys || !(entry.key.starts_with("tokenizer.") || entry.key.starts_with("general.")))
      keys.emplace_back(entry.key);
  }
  const std::size_t way = below(random, 4);  // 0, 1: keys; 2: shapes; 3: weights
  const auto changed = way < 2 ? chosen(random, keys.size(), [&](std::size_t i) { return keys[i]; })
                               : chosen(random, file.tensors().size(),
                                        [&](std::size_t i) { return std::string(file.tensors()[i].name); });
  Damaged out{{}, way < 2 ? "changed keys" : way == 2 ? "changed shapes" : "spoiled weights"};
  for (const std::string& name : changed) out.what += " " + name;
  GgufWriter writer;
  for (const GgufEntry& entry : file.metadata())
    changed.contains(entry.key) ? add_changed(random, entry, writer) : void(writer.copy(entry));
  for (const TensorView& tensor : file.tensors()) {
    if (!changed.contains(tensor.name)) {
      writer.add_tensor(tensor.name, tensor.dtype, tensor.shape, tensor.bytes);
    } else {
      (way == 2 ? add_reshaped : add_spoiled)(random, tensor, writer);
    }
  }
  const auto bytes = writer.bytes();
  if (bytes) out.bytes.assign(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  return out;
}

}  // namespace

Damaged damage(const std::string& bytes, const Gguf& file, std::mt19937_64& random) {
  const std::size_t header = header_bytes(bytes, file), way = below(random, 8);
  if (way == 0) return cut(bytes, header, random);
  if (way == 1) return flip(bytes, header, random);
  return write_anew(file, random);
}

}  // namespace partita::internal::fuzz
