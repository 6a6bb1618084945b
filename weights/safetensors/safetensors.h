// Reader for safetensors checkpoints: one file, or several shards with an index. Every number is checked
// before it is used; tensor data is read on demand. Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "weights/codecs/dtype.h"
#include "weights/safetensors/fp8.h"

namespace partita::internal {

/// One tensor of a checkpoint and the location of its bytes, which need not be aligned; SafeTensors::read()
/// reads them.
struct SafeTensor {
  std::string name;
  std::string_view type;             // as the format spells it: "F32", "I64"
  std::optional<Dtype> dtype;        // of F32, F16 and BF16
  Fp8 fp8 = Fp8::kNone;              // of F8_E4M3 and F8_E5M2; tensors of further types have no meaning here
  std::vector<std::uint64_t> shape;  // slowest first; empty: a scalar; a dimension may be 0
  std::span<const std::byte> bytes;  // the size follows from shape and type
};

/// An open checkpoint. Movable; views stay valid as long as it lives.
class SafeTensors {
 public:
  /// A .safetensors file, or a NAME.safetensors.index.json that maps tensors to files (shards) in the same
  /// directory; tensors that the index does not list are ignored. Errors: kNotFound; kIo; kBadFile with the
  /// tensor, the value and the limit; kUnsupported for an unknown type.
  static Result<SafeTensors> open(const std::string& path);

  /// open(), for one file's bytes in memory (tests, fuzzers), with the same checks. The bytes must outlive
  /// the SafeTensors.
  static Result<SafeTensors> parse(std::span<const std::byte> file, std::string name);

  SafeTensors(SafeTensors&&) noexcept;
  SafeTensors& operator=(SafeTensors&&) noexcept;
  ~SafeTensors();

  const std::string& path() const;
  const std::vector<SafeTensor>& tensors() const;       // sorted by name, without duplicates
  const SafeTensor* find(std::string_view name) const;  // null if there is none

  /// Checked look-up: the tensor must exist, have exactly this shape and a type above. Never null. Errors:
  /// kNotFound, kBadFile with the expected and the found shape, kUnsupported with the type.
  Result<const SafeTensor*> tensor(std::string_view name, std::span<const std::uint64_t> shape) const;
  Result<const SafeTensor*> tensor(std::string_view name, std::initializer_list<std::uint64_t> shape) const;

  /// Bytes of one of tensors(), from byte `first` of it on. Precondition: they lie within it. Error: kIo.
  Result<void> read(const SafeTensor& tensor, std::uint64_t first, std::span<std::byte> out) const;
  /// Whether two of tensors() have the same bytes. Error: kIo.
  Result<bool> same_bytes(const SafeTensor& one, const SafeTensor& other) const;

 private:
  struct Impl;
  explicit SafeTensors(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The inverted "weight_map" of an index: file name to the tensors in it.
using WeightMap = std::map<std::string, std::vector<std::string>>;

/// Parses and checks an index. Files must be plain names, so that an index cannot refer outside its
/// directory. `name` is the index's name, for error messages.
Result<WeightMap> parse_weight_map(std::string_view text, const std::string& name);

}  // namespace partita::internal
