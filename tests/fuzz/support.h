// Helpers of the fuzz targets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "partita/partita.hpp"
#include "tests/fuzz/targets.h"

namespace partita::internal::fuzz {

/// Aborts with file and line unless a target's invariant holds. (clang 14 has no std::source_location.)
void require(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE());

/// Requires that an error's message is one sentence.
void require_message(const Error& error, const char* file = __builtin_FILE(), int line = __builtin_LINE());

inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads the fuzzer's bytes from the front; zeros after the end.
class Input {
 public:
  explicit Input(Bytes bytes) : rest_(text_of(bytes)) {}

  std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t word() { return static_cast<std::uint16_t>(number(2)); }
  /// A little-endian number of `bytes` bytes.
  std::uint64_t number(std::size_t bytes);
  /// A string: a length byte, then at most that many bytes, and at most `max_length`.
  std::string string(std::size_t max_length);
  /// The text up to the next NUL, which is skipped.
  std::string_view text();
  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// A file in memory, with a path that is valid as long as this object.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view contents);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  int fd_;
  std::string path_;
};

/// A directory of this process, in memory if the system has such a directory; removed when the process ends.
const std::string& scratch_directory();

std::string contents_of(const std::string& path);
void put(const std::string& path, std::string_view contents);

/// Overwrites the last eight bytes with the checksum of the bytes before them, as in checked files.
void renew_checksum(std::string& bytes);

/// Mutates a valid file, so that the fuzzer need not find thousands of bytes that a reader treats alike. A
/// change is an offset (three bytes), a kind (overwrite, insert, erase, truncate) and a string.
std::string with_changes(std::string bytes, Input& changes);

/// A safetensors file with this header. The data behind it is as long as the header says, up to a megabyte,
/// and always the same number.
std::string safetensors_of(std::string_view header);

/// A tiny model with a chat template, on one thread.
const Model& tiny_model();

/// Opens a model, generates two tokens after a prompt, and returns whether all of it succeeded.
bool runs(const std::string& model_path);

}  // namespace partita::internal::fuzz
