// Files of Partita's own that end in a checksum: session files and screens. Little-endian words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "partita/result.hpp"
#include "weights/hash.h"

namespace partita {

/// A file that is complete or not there: written beside its place and moved there at the end. It has the mode
/// of the one that it replaces, else `mode` less the umask; of a link, what it points to is replaced.
class NewFile {
 public:
  /// Error: kIo names the path and the system's reason.
  static Result<NewFile> create(const std::string& path, unsigned mode = 0666);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  bool write(std::span<const std::byte> bytes);
  bool write(std::uint64_t word) { return write(std::as_bytes(std::span(&word, 1))); }

  /// Adds the checksum; what was written is on the disk and at its path then, or nothing of it is left. The
  /// last call either way.
  Result<void> finish();
  /// The same without a checksum, for formats that have none.
  Result<void> finish_plain();
  /// After a write() that returned false.
  Error failed() const;

 private:
  explicit NewFile(const std::string& path);
  bool flush();
  bool write_through(std::span<const std::byte> bytes);

  std::string path_, target_, name_;
  int fd_ = -1;
  int reason_ = 0;                 // errno of what failed
  std::vector<std::byte> buffer_;  // written, and not yet given to the system
  Hash64 hash_;
};

/// Takes a file apart; every length is checked against what is left. Both arguments must outlive it.
class FileReader {
 public:
  using Bytes = std::span<const std::byte>;

  FileReader(const std::string& path, Bytes file);

  bool take(std::size_t count, Bytes& out);
  bool word(std::uint64_t& out);
  /// A length, and that many elements: at most `most` bytes, and no more than there are.
  bool counted(std::size_t most, std::size_t element, Bytes& out);
  /// Before the checksum.
  std::size_t left() const { return rest_.size(); }

  /// Error: kBadFile.
  Result<void> check_sum() const;

  Error damaged(const std::string& what) const {
    return {ErrorCode::kBadFile, "\"" + path_ + "\" is damaged: " + what};
  }
  Error refused(const std::string& what) const {
    return {ErrorCode::kInvalidArgument, "\"" + path_ + "\" " + what};
  }

 private:
  const std::string& path_;
  Bytes file_, rest_;
};

}  // namespace partita
