// A file that is read piece by piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "partita/result.hpp"

namespace partita {

/// An open regular file, or bytes in memory in the place of one. Movable. The file is never mapped: when
/// another program shortens it, a mapping ends the process by SIGBUS, and a read is an error like others.
///
/// Errors of all that reads: kIo, the system's reason, or that the file has become shorter.
class InputFile {
 public:
  /// Errors, one sentence each that names the path and says what to do: kNotFound (no such file); kIo
  /// (directory, device or pipe, no permission, the system's reason otherwise); kBadFile (empty).
  static Result<InputFile> open(const std::string& path);

  /// The bytes must outlive it. `name` is for error messages.
  static InputFile in_memory(std::span<const std::byte> bytes, std::string name);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  /// For sentences, as printable() gives it.
  const std::string& path() const { return path_; }
  std::size_t size() const { return bytes_.size(); }  // when it was opened; of a file not 0

  /// Addresses for every byte. Only the first loaded() of them can be looked at, and stay where they are; the
  /// others say to view() which bytes are meant.
  std::span<const std::byte> bytes() const { return bytes_; }
  std::size_t loaded() const { return loaded_; }

  /// Brings in at least the first `count` bytes. Precondition: count <= size().
  Result<void> load(std::size_t count);

  /// Part of bytes(), as it is in memory or read into `buffer`, which keeps its size where that is enough.
  Result<std::span<const std::byte>> view(std::span<const std::byte> part,
                                          std::vector<std::byte>& buffer) const;

  /// Fills `out` with the bytes at `offset`. Precondition: they lie in the file as it was opened.
  Result<void> read(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  InputFile(std::string path, int fd, std::span<const std::byte> bytes, std::size_t loaded)
      : path_(std::move(path)), fd_(fd), bytes_(bytes), loaded_(loaded) {}

  std::string path_;
  int fd_ = -1;  // none for bytes in memory
  std::span<const std::byte> bytes_;
  std::size_t loaded_ = 0;
};

/// A whole file as text. Errors: also kBadFile for more than `most` bytes, where `what` is "a chat template"
/// or the like.
Result<std::string> read_text_file(const std::string& path, std::string_view what, std::size_t most);

}  // namespace partita
