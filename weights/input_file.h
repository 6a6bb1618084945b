// Read access to a file in parts (pread, no mmap of the file).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "partita/result.hpp"

namespace partita::internal {

/// Fills `out` with bytes from `offset` on of what a computed file has behind its first bytes. Called by
/// several threads.
using FileSource = std::function<Result<void>(std::uint64_t offset, std::span<std::byte> out)>;

/// An open regular file, a buffer in memory, or bytes that are computed when they are read. Movable. The file
/// is never memory-mapped: if another program truncates it, access to a mapping ends the process by SIGBUS,
/// while a read returns an error.
///
/// Every function that reads can return kIo: the system's reason, or that the file was truncated.
class InputFile {
 public:
  /// Errors, each with the path and what to do: kNotFound (no such file); kIo (directory, device or pipe, no
  /// permission, other system errors); kBadFile (empty).
  static Result<InputFile> open(const std::string& path);

  /// The bytes must outlive the InputFile. `name` is for error messages.
  static InputFile in_memory(std::span<const std::byte> bytes, std::string name);

  /// A file that begins with `head`, which is copied and counts as loaded; `source` computes the other
  /// `bytes`. Error: kUnsupported if their addresses cannot be reserved.
  static Result<InputFile> computed(std::span<const std::byte> head, std::uint64_t bytes, FileSource source,
                                    std::string name);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  /// For error messages: escaped by printable().
  const std::string& path() const { return path_; }
  std::size_t size() const { return bytes_.size(); }  // when it was opened; never 0 for a file

  /// Reserved addresses for every byte. Only the first loaded() bytes can be read, and they never move; the
  /// other addresses only tell view() which bytes to read.
  std::span<const std::byte> bytes() const { return bytes_; }
  std::size_t loaded() const { return loaded_; }

  /// Loads at least the first `count` bytes. Precondition: count <= size().
  Result<void> load(std::size_t count);

  /// Part of bytes(): in place if it is loaded, else read into `buffer`, which grows if it is too small.
  Result<std::span<const std::byte>> view(std::span<const std::byte> part,
                                          std::vector<std::byte>& buffer) const;

  /// Reads out.size() bytes at `offset`. Precondition: the range lies within size().
  Result<void> read(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  InputFile(std::string path, int fd, std::span<const std::byte> bytes, std::size_t loaded)
      : path_(std::move(path)), fd_(fd), bytes_(bytes), loaded_(loaded) {}
  bool is_in_memory() const { return fd_ < 0 && !source_; }

  std::string path_;
  int fd_ = -1;        // -1: no file
  FileSource source_;  // of a computed file
  std::span<const std::byte> bytes_;
  std::size_t loaded_ = 0;
};

/// Reads a whole file as text. Error: also kBadFile if it has more than `max_bytes`; the message calls the
/// file `what`, such as "a chat template".
Result<std::string> read_text_file(const std::string& path, std::string_view what, std::size_t max_bytes);

}  // namespace partita::internal
