// Reader and atomic writer for Partita's own file formats (session files, screens): little-endian words, with
// a checksum at the end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "partita/result.hpp"
#include "weights/hash.h"
#include "weights/input_file.h"

namespace partita::internal {

/// Where the bytes of an unfinished file are.
enum class Unfinished : std::uint8_t {
  kUnnamed,  // in a file without a name, which is gone when the process ends, however it ends
  kNamed,    // in PATH.partN.I beside it: where the file system or the kernel has no files without names
};

/// Writes a file atomically: into a temporary file in the same directory, which finish() renames to the path.
/// The new file keeps the mode of the file it replaces, else it gets `mode` less the umask. If the path is a
/// symbolic link, the link's target is replaced.
class AtomicFile {
 public:
  /// Falls back to kNamed by itself. Error: kIo with the path and the system's reason.
  static Result<AtomicFile> create(const std::string& path, unsigned mode = 0666,
                                   Unfinished where = Unfinished::kUnnamed);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  bool write(std::span<const std::byte> bytes);
  bool write(std::uint64_t word) { return write(std::as_bytes(std::span(&word, 1))); }

  /// Appends the checksum, syncs the file to disk and renames it to its path. On an error it removes the
  /// temporary file. No other call may follow.
  Result<void> finish();
  /// finish() without a checksum, for formats that have none.
  Result<void> finish_without_checksum();
  /// The error of a write() that returned false.
  Error write_error() const;

 private:
  explicit AtomicFile(const std::string& path);
  void open_unnamed(unsigned mode);
  void open_named(unsigned mode);
  bool link_name();  // gives an unnamed file a name
  bool flush();      // writes out what is buffered
  bool write_through(std::span<const std::byte> bytes);

  std::string path_, target_;
  std::string name_;  // of the temporary file; empty if it has none
  int fd_ = -1;
  int reason_ = 0;                 // errno of the call that failed
  std::vector<std::byte> buffer_;  // not yet written to the file
  Hash64 hash_;
};

/// Reads a file sequentially; checks every length against the bytes that are left.
class FileReader {
 public:
  /// The file must outlive the reader.
  explicit FileReader(const InputFile& file)
      : file_(file), left_(file.size() - std::min(file.size(), kSumBytes)) {}

  // Each returns whether it succeeded; damaged() returns the reason if not.
  bool read(std::span<std::byte> out);
  bool word(std::uint64_t& out) { return read(std::as_writable_bytes(std::span(&out, 1))); }
  /// Reads a length and that many elements: at most `max_bytes`, and no more than are left.
  template <class List>
  bool read_counted(std::size_t max_bytes, List& out) {
    std::uint64_t count = 0;
    if (!word(count) || count > std::min(max_bytes, left_) / sizeof(typename List::value_type)) return false;
    out.resize(static_cast<std::size_t>(count));
    return read(std::as_writable_bytes(std::span(out)));
  }
  /// Skips a length and that many elements of `element` bytes each.
  bool skip_counted(std::size_t element);
  bool skip(std::size_t count);
  /// Without the checksum.
  std::size_t bytes_left() const { return left_; }

  /// Compares the checksum. Everything before it must have been read. Errors: kBadFile, kIo.
  Result<void> verify_checksum();

  /// kBadFile, or the I/O error if a read failed.
  Error damaged(const std::string& what) const {
    return problem_ ? *problem_ : Error{ErrorCode::kBadFile, "\"" + file_.path() + "\" is damaged: " + what};
  }
  Error refused(const std::string& what) const {
    return problem_ ? *problem_ : Error{ErrorCode::kInvalidArgument, "\"" + file_.path() + "\" " + what};
  }

 private:
  static constexpr std::size_t kSumBytes = sizeof(std::uint64_t);

  const InputFile& file_;
  std::size_t left_;
  std::uint64_t position_ = 0;
  Hash64 hash_;  // of the bytes read so far
  std::optional<Error> problem_;
};

}  // namespace partita::internal
