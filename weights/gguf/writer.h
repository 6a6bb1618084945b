// Writer for GGUF files (version 3): takes metadata and tensors. Format:
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "weights/codecs/dtype.h"
#include "weights/gguf/gguf.h"
#include "weights/gguf/tensor_view.h"
#include "weights/gguf/value.h"

namespace partita::internal {

/// Writes whole rows of a tensor, in its encoding, into `rows`: those from byte `first` of its data on. It
/// may be called for any rows, in any order, by several threads.
using TensorSource = std::function<Result<void>(std::uint64_t first, std::span<std::byte> rows)>;

/// Builds a little-endian GGUF v3 file: in memory, or tensor by tensor on disk.
///
///     GgufWriter file;
///     file.add("general.architecture", "llama").add("llama.block_count", 2u);
///     file.add_tensor("output_norm.weight", Dtype::kF32, {64}, norm);        // norm: 64 floats
///     file.add_tensor("output.weight", Dtype::kQ4_1, {vocab, 64}, output);   // quantized on the way in
///     Result<std::vector<std::byte>> bytes = file.bytes();                   // for Gguf::parse
///
/// Calls can be chained. The first error (a key or tensor given twice, a wrong number of values, a type that
/// cannot be quantized) is kept and returned by bytes() and write(); later calls then do nothing.
class GgufWriter {
 public:
  // The C++ type of the value sets the type in the file. Keys have 1 to 65535 bytes; general.alignment is
  // refused, because the writer always uses the default of 32.
  GgufWriter& add(std::string_view key, bool value);
  GgufWriter& add(std::string_view key, std::int32_t value);
  GgufWriter& add(std::string_view key, std::uint32_t value);
  GgufWriter& add(std::string_view key, std::int64_t value);
  GgufWriter& add(std::string_view key, std::uint64_t value);
  GgufWriter& add(std::string_view key, float value);
  GgufWriter& add(std::string_view key, double value);
  GgufWriter& add(std::string_view key, std::string_view value);
  GgufWriter& add(std::string_view key, const char* value);
  GgufWriter& add(std::string_view key, const std::vector<std::string>& values);
  GgufWriter& add(std::string_view key, const std::vector<bool>& values);
  GgufWriter& add(std::string_view key, const std::vector<std::int32_t>& values);
  GgufWriter& add(std::string_view key, const std::vector<std::uint32_t>& values);
  GgufWriter& add(std::string_view key, const std::vector<float>& values);

  /// Copies a metadata entry of another file. The bytes of an array are copied unchanged. Integers are stored
  /// in 32 bits if they fit, floats if that is exact.
  GgufWriter& copy(const GgufEntry& entry);

  /// A tensor given as blocks in the file's encoding. shape: 1 to 4 dimensions, slowest first, the last a
  /// multiple of block_elements(dtype). blocks: elements / block_elements(dtype) * block_bytes(dtype) bytes;
  /// copied.
  GgufWriter& add_tensor(std::string_view name, Dtype dtype, std::span<const std::uint64_t> shape,
                         std::span<const std::byte> blocks);
  GgufWriter& add_tensor(std::string_view name, Dtype dtype, std::initializer_list<std::uint64_t> shape,
                         std::span<const std::byte> blocks);

  /// A tensor given as one float per element, quantized by the codec of `dtype`. Error: kUnsupported for the
  /// types that are only read (Q4_K, Q5_K, Q6_K).
  GgufWriter& add_tensor(std::string_view name, Dtype dtype, std::span<const std::uint64_t> shape,
                         std::span<const float> values);
  GgufWriter& add_tensor(std::string_view name, Dtype dtype, std::initializer_list<std::uint64_t> shape,
                         std::span<const float> values);

  /// A tensor whose data is asked for when the file is written, at most about a MiB at a time.
  GgufWriter& add_tensor(std::string_view name, Dtype dtype, std::span<const std::uint64_t> shape,
                         TensorSource source);

  /// The whole file. Tensors keep the order in which they were added, each aligned to 32 bytes.
  Result<std::vector<std::byte>> bytes() const;

  /// Writes the file to `path` atomically, replacing an existing one. Errors: kIo with the path and the
  /// system's reason; those of sources; kCancelled if `progress`, given the fraction of the tensors' bytes
  /// that are written, returns false. After an error there is no new file.
  Result<void> write(const std::string& path, const std::function<bool(float)>& progress = {}) const;

  /// The file as if it were written under `name` and opened: reading a tensor asks its source. What sources
  /// refer to must live as long as the file.
  Result<Gguf> open(std::string name) const;

 private:
  struct Tensor {
    std::string name;
    Dtype dtype;
    Shape shape;
    TensorSource source;
    std::uint64_t bytes() const { return row_bytes() * (shape.elements() / shape[shape.size() - 1]); }
    std::uint64_t row_bytes() const {
      return shape[shape.size() - 1] / block_elements(dtype) * block_bytes(dtype);
    }
  };
  class Data;

  std::vector<std::byte> head() const;  // everything before the first tensor
  bool begin_value(std::string_view key, GgufType type);
  bool begin_array(std::string_view key, GgufType element, std::size_t size);
  std::optional<std::uint64_t> check_tensor(std::string_view name, Dtype dtype,
                                            std::span<const std::uint64_t> shape);
  void add_blocks(std::string_view name, Dtype dtype, std::span<const std::uint64_t> shape,
                  std::vector<std::byte> blocks);
  void check_name(std::string_view what, std::string_view name);
  void fail(ErrorCode code, std::string message);

  std::vector<std::byte> metadata_;  // the key-value section, in the file's encoding
  std::vector<std::string> keys_;
  std::vector<Tensor> tensors_;
  std::optional<Error> error_;
};

}  // namespace partita::internal
