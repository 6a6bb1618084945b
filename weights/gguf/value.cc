#include "weights/gguf/value.h"

#include <cstring>
#include <utility>

namespace partita::internal {
namespace {

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

std::string_view name(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
      return "uint8";
    case GgufType::kInt8:
      return "int8";
    case GgufType::kUint16:
      return "uint16";
    case GgufType::kInt16:
      return "int16";
    case GgufType::kUint32:
      return "uint32";
    case GgufType::kInt32:
      return "int32";
    case GgufType::kFloat32:
      return "float32";
    case GgufType::kBool:
      return "bool";
    case GgufType::kString:
      return "string";
    case GgufType::kArray:
      return "array";
    case GgufType::kUint64:
      return "uint64";
    case GgufType::kInt64:
      return "int64";
    case GgufType::kFloat64:
      return "float64";
  }
  return "unknown";
}

std::size_t gguf_type_bytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  return 0;
}

GgufValue load_gguf_scalar(GgufType type, const std::byte* from) {
  switch (type) {
    case GgufType::kUint8:
      return std::uint64_t{load<std::uint8_t>(from)};
    case GgufType::kUint16:
      return std::uint64_t{load<std::uint16_t>(from)};
    case GgufType::kUint32:
      return std::uint64_t{load<std::uint32_t>(from)};
    case GgufType::kUint64:
      return load<std::uint64_t>(from);
    case GgufType::kInt8:
      return std::int64_t{load<std::int8_t>(from)};
    case GgufType::kInt16:
      return std::int64_t{load<std::int16_t>(from)};
    case GgufType::kInt32:
      return std::int64_t{load<std::int32_t>(from)};
    case GgufType::kInt64:
      return load<std::int64_t>(from);
    case GgufType::kFloat32:
      return double{load<float>(from)};
    case GgufType::kFloat64:
      return load<double>(from);
    case GgufType::kBool:
      return load<std::uint8_t>(from) != 0;
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  return std::uint64_t{0};
}

std::span<const std::byte> GgufArray::bytes() const {
  return {bytes_, type_ == GgufType::kString ? string_starts_[size_] : size_ * gguf_type_bytes(type_)};
}

std::optional<std::uint64_t> GgufArray::uint_at(std::size_t i) const {
  const std::size_t width = gguf_type_bytes(type_);
  if (i >= size_ || width == 0) return std::nullopt;
  const GgufValue value = load_gguf_scalar(type_, bytes_ + i * width);
  if (const auto* positive = std::get_if<std::uint64_t>(&value)) return *positive;
  const auto* number = std::get_if<std::int64_t>(&value);
  if (number == nullptr || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

std::optional<std::int64_t> GgufArray::int_at(std::size_t i) const {
  const std::size_t width = gguf_type_bytes(type_);
  if (i >= size_ || width == 0) return std::nullopt;
  const GgufValue value = load_gguf_scalar(type_, bytes_ + i * width);
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  const auto* positive = std::get_if<std::uint64_t>(&value);
  if (positive == nullptr || !std::in_range<std::int64_t>(*positive)) return std::nullopt;
  return static_cast<std::int64_t>(*positive);
}

std::optional<double> GgufArray::float_at(std::size_t i) const {
  if (i >= size_) return std::nullopt;
  if (type_ == GgufType::kFloat32) return load<float>(bytes_ + i * sizeof(float));
  if (type_ == GgufType::kFloat64) return load<double>(bytes_ + i * sizeof(double));
  return std::nullopt;
}

std::optional<bool> GgufArray::bool_at(std::size_t i) const {
  if (i >= size_ || type_ != GgufType::kBool) return std::nullopt;
  return load<std::uint8_t>(bytes_ + i) != 0;
}

std::optional<std::string_view> GgufArray::string_at(std::size_t i) const {
  if (i >= size_ || type_ != GgufType::kString) return std::nullopt;
  const std::uint64_t first = string_starts_[i] + sizeof(std::uint64_t);  // after its length
  return std::string_view(reinterpret_cast<const char*>(bytes_ + first), string_starts_[i + 1] - first);
}

}  // namespace partita::internal
