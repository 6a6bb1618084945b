// Parses a GGUF file into checked tables. Internal to weights/; the interface is gguf.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"
#include "weights/input_file.h"

namespace partita::internal {

/// The parsed file. Views point into the file; the tables together take less than twice the file's size.
struct GgufContents {
  std::uint32_t version = 0;
  std::vector<Gguf::Entry> metadata;                            // in file order
  std::vector<std::uint32_t> metadata_by_key;                   // indices, sorted by key
  std::vector<std::unique_ptr<std::uint64_t[]>> string_starts;  // GgufArrays of strings point here
  std::vector<TensorView> tensors;                              // in file order
  std::vector<UnsupportedTensor> unsupported;                   // in file order
  std::vector<std::uint32_t> tensors_by_name;                   // indices, sorted by name
};

/// Magic, version, tensor count, key count.
inline constexpr std::uint64_t kGgufHeaderBytes = 24;

/// More keys than any model has (about 30 to 100), few enough to bound the table for a hostile file.
inline constexpr std::uint64_t kMaxGgufKeys = 4096;

/// The maximum length of keys and tensor names in bytes; the minimum is 1.
inline constexpr std::uint64_t kMaxGgufNameBytes = 65535;

/// Tensor offsets are multiples of general.alignment: a power of two in this range, 32 if the key is absent.
inline constexpr std::uint64_t kMinGgufAlignment = 8;
inline constexpr std::uint64_t kMaxGgufAlignment = 65536;

/// Bytes of one array element; 0 for strings, arrays and unknown types.
std::size_t gguf_type_bytes(GgufType type);

/// One number or bool at any alignment. Precondition: gguf_type_bytes(type) != 0.
GgufValue load_gguf_scalar(GgufType type, const std::byte* from);

/// Reads and checks everything but the tensor data; loads only the part of the file that this needs.
Result<GgufContents> parse_gguf(InputFile& file);

/// The error for bytes that are not a GGUF file of version 2 or 3: what they seem to be, and what to do.
Error explain_not_gguf(std::span<const std::byte> file, const std::string& file_name);

/// The error for tensors whose element types have no codec, with the names of the types.
Error explain_tensor_types(std::span<const UnsupportedTensor> tensors, const std::string& file_name);

}  // namespace partita::internal
