// The metadata of a GGUF file: keys, types and values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

namespace partita::internal {

/// The types a metadata value can have; the numbers are those of the file format.
enum class GgufType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

/// "uint32" and so on.
std::string_view name(GgufType type);

/// Bytes of one array element; 0 for strings, arrays and unknown types.
std::size_t gguf_type_bytes(GgufType type);

/// A metadata array: a view of the file's bytes that decodes elements on access, so that an array takes no
/// more memory than in the file. Cheap to copy; valid as long as its Gguf lives.
///
/// Every accessor returns nullopt if i >= size(), if the element has another type or if the value does not
/// fit, so that callers can use them on unchecked arrays:
///     for (std::size_t i = 0; i < array.size(); ++i) if (auto piece = array.string_at(i)) ...
class GgufArray {
 public:
  GgufArray() = default;

  /// bytes: size * the width of a number, or the strings with their lengths; string_starts: for strings,
  /// size + 1 byte positions in `bytes`, each that of a string's length field, the last one their end.
  GgufArray(GgufType type, std::uint64_t size, const std::byte* bytes, const std::uint64_t* string_starts)
      : bytes_(bytes), string_starts_(string_starts), size_(size), type_(type) {}

  std::size_t size() const { return size_; }
  GgufType type() const { return type_; }    // of the elements; never kArray (arrays of arrays are refused)
  std::span<const std::byte> bytes() const;  // in the file's encoding: numbers, or lengths and strings

  std::optional<std::uint64_t> uint_at(std::size_t i) const;  // any integer type, if not negative
  std::optional<std::int64_t> int_at(std::size_t i) const;    // any integer type, if it fits
  std::optional<double> float_at(std::size_t i) const;        // float32, float64
  std::optional<bool> bool_at(std::size_t i) const;
  std::optional<std::string_view> string_at(std::size_t i) const;  // any bytes, not necessarily UTF-8

 private:
  const std::byte* bytes_ = nullptr;
  const std::uint64_t* string_starts_ = nullptr;
  std::uint64_t size_ = 0;
  GgufType type_ = GgufType::kUint8;
};

/// Unsigned integers of every width become uint64, signed ones int64, both float types double.
using GgufValue = std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, GgufArray>;

/// A key and its value.
struct GgufEntry {
  std::string_view key;
  GgufValue value;
};

/// One number or bool at any alignment. Precondition: gguf_type_bytes(type) != 0.
GgufValue load_gguf_scalar(GgufType type, const std::byte* from);

}  // namespace partita::internal
