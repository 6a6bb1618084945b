// Reader for GGUF v2/v3 files. Every number in the file is checked before it is used; tensor data is read on
// demand. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "partita/result.hpp"
#include "weights/codecs/dtype.h"

namespace partita::internal {

/// The shape of a tensor: at most four dimensions, slowest first as in PyTorch ({rows, columns}), stored
/// inline so that a file with many tensors takes one allocation. No dimension is 0, so the rank is the index
/// of the first zero.
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 4;

  Shape() = default;

  /// Drops dimensions beyond the fourth; reader and writer refuse such tensors earlier.
  explicit Shape(std::span<const std::uint64_t> dims) {
    std::copy_n(dims.begin(), std::min(dims.size(), kMaxRank), dims_.begin());
  }

  std::size_t size() const { return static_cast<std::size_t>(end() - begin()); }
  std::uint64_t operator[](std::size_t i) const { return dims_[i]; }  // precondition: i < size()
  const std::uint64_t* begin() const { return dims_.data(); }
  const std::uint64_t* end() const { return std::find(begin(), begin() + kMaxRank, 0u); }
  operator std::span<const std::uint64_t>() const { return {begin(), size()}; }  // NOLINT: a view of it

  /// The product of the dimensions.
  std::uint64_t elements() const {
    std::uint64_t product = 1;
    for (const std::uint64_t dim : *this) product *= dim;
    return product;
  }

 private:
  std::array<std::uint64_t, kMaxRank> dims_{};
};

/// One tensor and the location of its bytes; Gguf::read() reads them.
struct TensorView {
  std::string_view name;
  Shape shape;                       // no dimension is 0; the last one is a multiple of block_elements(dtype)
  std::span<const std::byte> bytes;  // rows * columns / block_elements * block_bytes of them
  Dtype dtype = Dtype::kF32;
};

/// A tensor whose element type has no codec here, as the file describes it.
struct UnsupportedTensor {
  std::string_view name;
  Shape shape;
  std::uint32_t type = 0;   // ggml_type number
  std::size_t tensors = 0;  // how many of Gguf::tensors() come before it in the file
};

/// "IQ4_XS", or the number if ggml has no such type.
std::string ggml_type_name(std::uint32_t type);

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

/// An open GGUF file. Movable; views stay valid as long as it lives.
class Gguf {
 public:
  /// Errors: kNotFound; kIo (directories, unreadable files); kBadFile with the offset, what was found and the
  /// limit; kUnsupported (version 1, big-endian, arrays of arrays).
  static Result<Gguf> open(const std::string& path);

  /// open(), with the whole file in memory: the bytes of TensorViews can be read in place.
  static Result<Gguf> open_whole(const std::string& path);

  /// open(), for bytes in memory, with the same checks. The bytes must outlive the Gguf.
  static Result<Gguf> parse(std::span<const std::byte> file, std::string name);

  Gguf(Gguf&&) noexcept;
  Gguf& operator=(Gguf&&) noexcept;
  ~Gguf();

  const std::string& path() const;
  std::uint32_t version() const;
  std::uint64_t file_bytes() const;

  // --- metadata -----------------------------------------------------------------------------------
  struct Entry {
    std::string_view key;
    GgufValue value;
  };
  const std::vector<Entry>& metadata() const;  // in file order
  const GgufValue* find(std::string_view key) const;

  /// Typed look-ups. get_uint accepts any integer type whose value fits, get_float accepts float32 and
  /// float64. Errors: kNotFound with the key; kBadFile with the key, the found type and the expected type.
  Result<std::uint64_t> get_uint(std::string_view key) const;
  Result<double> get_float(std::string_view key) const;
  Result<bool> get_bool(std::string_view key) const;
  Result<std::string_view> get_string(std::string_view key) const;
  Result<const GgufArray*> get_array(std::string_view key) const;  // never null

  /// With a default for a missing key; a key of the wrong type is still an error.
  Result<std::uint64_t> get_uint(std::string_view key, std::uint64_t missing) const;
  Result<double> get_float(std::string_view key, double missing) const;
  Result<bool> get_bool(std::string_view key, bool missing) const;

  // --- tensors ------------------------------------------------------------------------------------
  const std::vector<TensorView>& tensors() const;             // in file order
  const std::vector<UnsupportedTensor>& unsupported() const;  // in file order; not in tensors()
  /// Error: kUnsupported if unsupported() is not empty, with its types and the supported ones.
  Result<void> check_types() const;
  const TensorView* find_tensor(std::string_view name) const;  // null if there is none
  bool has_tensor(std::string_view name) const;

  /// Checked look-up: the tensor must exist and have exactly this shape (slowest first). Errors: kNotFound;
  /// kBadFile with the tensor, the expected shape and the found shape.
  Result<TensorView> tensor(std::string_view name, std::span<const std::uint64_t> shape) const;
  Result<TensorView> tensor(std::string_view name, std::initializer_list<std::uint64_t> shape) const;

  /// Part of a TensorView's bytes: in place if it is in memory, else read from the file into `buffer`.
  /// Thread-safe if each thread uses its own buffer. Error: kIo.
  Result<std::span<const std::byte>> read(std::span<const std::byte> part,
                                          std::vector<std::byte>& buffer) const;

 private:
  struct Impl;
  explicit Gguf(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace partita::internal
