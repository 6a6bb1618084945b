// safetensors checkpoints, one file or several with an index: every number in them checked before it is used;
// tensors are read when they are asked for. Format: https://github.com/huggingface/safetensors#format
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

namespace partita {

/// One tensor of a checkpoint, and where its bytes are, which may begin anywhere: SafeTensors::read() reads
/// them.
struct SafeTensor {
  std::string name;
  std::string_view type;             // as the format spells it: "F32", "I64"
  std::optional<Dtype> dtype;        // F32, F16 and BF16; other types are listed and not read
  std::vector<std::uint64_t> shape;  // slowest first; empty: one number; a dimension may be 0
  std::span<const std::byte> bytes;  // as many as shape and type say
};

/// An open checkpoint. Movable; views stay valid as long as it lives.
class SafeTensors {
 public:
  /// A .safetensors file, or a NAME.safetensors.index.json that names the files beside it which have the
  /// tensors (of these files only what the index names is there). Errors: kNotFound; kIo; kBadFile naming the
  /// tensor, the value and the limit; kUnsupported for a type that the format does not have.
  static Result<SafeTensors> open(const std::string& path);

  /// The same checks on one file's bytes in memory (tests, fuzzers). The bytes must outlive the SafeTensors.
  static Result<SafeTensors> parse(std::span<const std::byte> file, std::string name);

  SafeTensors(SafeTensors&&) noexcept;
  SafeTensors& operator=(SafeTensors&&) noexcept;
  ~SafeTensors();

  const std::string& path() const;
  const std::vector<SafeTensor>& tensors() const;       // sorted by name, no name twice
  const SafeTensor* find(std::string_view name) const;  // null if there is none

  /// The one checked look-up: the tensor must exist, have exactly this shape and a type that can be read;
  /// never null. Errors: kNotFound, kBadFile with expected and found shape, kUnsupported naming the type.
  Result<const SafeTensor*> tensor(std::string_view name, std::span<const std::uint64_t> shape) const;
  Result<const SafeTensor*> tensor(std::string_view name, std::initializer_list<std::uint64_t> shape) const;

  /// Every element of a tensor, whatever its shape, as floats. Errors: kNotFound, kUnsupported, kIo.
  Result<std::vector<float>> read(std::string_view name) const;
  /// Whether two of tensors() have the same bytes. Error: kIo.
  Result<bool> same_bytes(const SafeTensor& one, const SafeTensor& other) const;

 private:
  struct Impl;
  explicit SafeTensors(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The "weight_map" of an index, turned round: for each file the tensors that are in it.
using WeightMap = std::map<std::string, std::vector<std::string>>;

/// Checks it: the files are plain names, so that an index reaches nothing outside its directory. `name` is
/// the index's, for error messages.
Result<WeightMap> parse_weight_map(std::string_view text, const std::string& name);

}  // namespace partita
