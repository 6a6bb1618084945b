// What the fuzz targets share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "partita/partita.hpp"
#include "tests/fuzz/targets.h"

namespace partita::fuzz {

/// Aborts, naming the line, where a target's promise is broken. (clang 14 has no std::source_location.)
void require(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE());

/// An error is one sentence.
void require_message(const Error& error, const char* file = __builtin_FILE(), int line = __builtin_LINE());

inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Takes the fuzzer's bytes from the front; zeros where there are none left.
class Input {
 public:
  explicit Input(Bytes bytes) : rest_(text_of(bytes)) {}

  std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t word() { return static_cast<std::uint16_t>(number(2)); }
  /// Of so many bytes, little-endian.
  std::uint64_t number(std::size_t bytes);
  /// A length in a byte, and at most that many bytes.
  std::string string(std::size_t longest);
  /// Up to the next NUL, which is passed over.
  std::string_view text();
  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// A file in memory that has a path for as long as this lives.
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

/// A directory of this process alone, in memory where the system has such; it goes with the process.
const std::string& scratch_directory();

std::string contents_of(const std::string& path);
void put(const std::string& path, std::string_view contents);

/// Puts the checksum of all before them in place of the last eight bytes, as checked files end.
void renew_checksum(std::string& bytes);

/// Changes a file that is right, so that the fuzzer need not find the thousands of bytes that are all alike
/// to a reader. A change is a place (three bytes), a kind (overwrite, insert, erase, end the file there) and
/// a string.
std::string with_changes(std::string bytes, Input& changes);

/// A tiny model that can chat, on one thread.
const Model& tiny_model();

/// Opens one, reads a prompt, generates two tokens and says whether all of it went well.
bool runs(const std::string& model_path);

}  // namespace partita::fuzz
