// Writing GGUF files: metadata and tensors in, the bytes of a version 3 file out.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "weights/codecs/dtype.h"
#include "weights/gguf/gguf.h"

namespace partita {

/// Builds a little-endian GGUF v3 file in memory.
///
///     GgufWriter file;
///     file.add("general.architecture", "llama").add("llama.block_count", 2u);
///     file.add_tensor("output_norm.weight", Dtype::kF32, {64}, norm);        // norm: 64 floats
///     file.add_tensor("output.weight", Dtype::kQ4_1, {vocab, 64}, output);   // quantized on the way in
///     Result<std::vector<std::byte>> bytes = file.bytes();                   // for Gguf::parse
///
/// Calls can be chained. The first mistake (a key or tensor given twice, a wrong number of values, a type
/// that cannot be quantized) is kept and returned by bytes() and write(); later calls then do nothing.
class GgufWriter {
 public:
  // The C++ type of the value decides the type in the file. Keys have 1 to 65535 bytes; general.alignment is
  // refused, because the writer keeps to the default of 32.
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

  /// An entry of another file's metadata; an array with its very bytes. Integers take 32 bits where they fit,
  /// floats where nothing is lost.
  GgufWriter& copy(const Gguf::Entry& entry);

  /// A tensor whose blocks are given as they stand in a file.
  /// shape: slowest dimension first, 1 to 4 of them, the last a multiple of block_elements(dtype).
  /// blocks: elements / block_elements(dtype) * block_bytes(dtype) bytes; copied.
  GgufWriter& add_tensor(std::string_view name, Dtype dtype, std::span<const std::uint64_t> shape,
                         std::span<const std::byte> blocks);
  GgufWriter& add_tensor(std::string_view name, Dtype dtype, std::initializer_list<std::uint64_t> shape,
                         std::span<const std::byte> blocks);

  /// A tensor given as floats, one for every element, quantized by the codec of `dtype`.
  /// Error: kUnsupported for the types that are only read (Q4_K, Q5_K, Q6_K).
  GgufWriter& add_tensor(std::string_view name, Dtype dtype, std::span<const std::uint64_t> shape,
                         std::span<const float> values);
  GgufWriter& add_tensor(std::string_view name, Dtype dtype, std::initializer_list<std::uint64_t> shape,
                         std::span<const float> values);

  /// The whole file. Tensors stand in the order they were added, each at a multiple of 32 bytes.
  Result<std::vector<std::byte>> bytes() const;

  /// The whole file to `path`, replacing what was there; it appears complete or not at all. Error: kIo names
  /// the path and the system's reason.
  Result<void> write(const std::string& path) const;

 private:
  struct Tensor {
    std::string name;
    Dtype dtype;
    Shape shape;
    std::vector<std::byte> blocks;
  };

  std::vector<std::byte> head() const;  // all before the first tensor
  bool begin_value(std::string_view key, GgufType type);
  bool begin_array(std::string_view key, GgufType element, std::size_t size);
  std::optional<std::uint64_t> check_tensor(std::string_view name, Dtype dtype,
                                            std::span<const std::uint64_t> shape);
  void check_name(std::string_view what, std::string_view name);
  void fail(ErrorCode code, std::string message);

  std::vector<std::byte> metadata_;  // the key-value section, as it stands in the file
  std::vector<std::string> keys_;
  std::vector<Tensor> tensors_;
  std::optional<Error> error_;
};

}  // namespace partita
