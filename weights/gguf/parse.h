// The bytes of a GGUF file to checked tables. Internal to weights/; gguf.h is the door.
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

namespace partita {

/// What a file says. Views point into the file; the tables together take less memory than twice the file.
struct GgufContents {
  std::uint32_t version = 0;
  std::vector<Gguf::Entry> metadata;                            // in file order
  std::vector<std::uint32_t> metadata_by_key;                   // indices, sorted by key
  std::vector<std::unique_ptr<std::uint64_t[]>> string_starts;  // what GgufArrays of strings point to
  std::vector<TensorView> tensors;                              // in file order
  std::vector<UnreadTensor> unread;                             // in file order
  std::vector<std::uint32_t> tensors_by_name;                   // indices, sorted by name
};

/// Magic, version, tensor count, key count.
inline constexpr std::uint64_t kGgufHeaderBytes = 24;

/// More keys than any model has (about 30 to 100), few enough that a hostile file cannot make the table
/// large.
inline constexpr std::uint64_t kMaxGgufKeys = 4096;

/// Keys and names of tensors have 1 to this many bytes.
inline constexpr std::uint64_t kMaxGgufNameBytes = 65535;

/// The offsets of tensors are multiples of general.alignment: a power of two between these, 32 if absent.
inline constexpr std::uint64_t kMinGgufAlignment = 8;
inline constexpr std::uint64_t kMaxGgufAlignment = 65536;

/// Bytes of one element of an array, 0 for strings, arrays and unknown numbers.
std::size_t gguf_type_bytes(GgufType type);

/// One number or bool at any alignment. Precondition: gguf_type_bytes(type) != 0.
GgufValue load_gguf_scalar(GgufType type, const std::byte* from);

/// Reads and checks everything but the elements of tensors, and loads as much of the file as that takes.
Result<GgufContents> parse_gguf(InputFile& file);

/// The error for bytes that are not a GGUF file of version 2 or 3: says what they seem to be and what to do.
Error explain_not_gguf(std::span<const std::byte> file, const std::string& file_name);

/// The error for tensors whose element types have no codec: names the types if ggml has them.
Error explain_tensor_types(std::span<const UnreadTensor> tensors, const std::string& file_name);

}  // namespace partita
