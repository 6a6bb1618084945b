// Reader for GGUF v2/v3 files. Every number in the file is checked before it is used; tensor data is read on
// demand. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "weights/gguf/tensor_view.h"
#include "weights/gguf/value.h"
#include "weights/input_file.h"

namespace partita::internal {

/// An open GGUF file, or a model that is split into several. Movable; views stay valid as long as it lives.
class Gguf {
 public:
  /// The first file of a split model (NAME-00001-of-00003.gguf, written by llama-gguf-split) opens as the
  /// whole model, with the others beside it. Errors: kNotFound, also for missing parts, by name; kIo
  /// (directories, unreadable files); kBadFile with the offset, what was found and the limit, or with the
  /// part that belongs to another model; kUnsupported (version 1, big-endian, arrays of arrays; a part that
  /// is not the first).
  static Result<Gguf> open(const std::string& path);

  /// open(), for this file alone, even if it is a part of a split model.
  static Result<Gguf> open_alone(const std::string& path);

  /// open_alone(), with the whole file in memory: the bytes of TensorViews can be read in place.
  static Result<Gguf> open_whole(const std::string& path);

  /// open_alone(), for bytes in memory, with the same checks. The bytes must outlive the Gguf.
  static Result<Gguf> parse(std::span<const std::byte> file, std::string name);

  /// open(), for a file whose first bytes are `head` and whose next `data_bytes` `source` computes.
  static Result<Gguf> compute(std::vector<std::byte> head, std::uint64_t data_bytes, FileSource source,
                              std::string name);

  Gguf(Gguf&&) noexcept;
  Gguf& operator=(Gguf&&) noexcept;
  ~Gguf();

  const std::string& path() const;   // of the first file
  std::size_t files() const;         // 1, or the number of parts
  std::uint32_t version() const;     // of the first file
  std::uint64_t file_bytes() const;  // of all files

  // --- metadata -----------------------------------------------------------------------------------
  const std::vector<GgufEntry>& metadata() const;  // of the first file, in its order
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
  const std::vector<TensorView>& tensors() const;             // in the order of the files
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
