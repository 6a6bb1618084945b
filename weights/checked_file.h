// Files of Partita's own that end in a checksum: session files and screens. Little-endian words.
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

/// Takes a file apart, front to back; every length is checked against what is left.
class FileReader {
 public:
  /// The file must outlive it.
  explicit FileReader(const InputFile& file)
      : file_(file), left_(file.size() - std::min(file.size(), kSumBytes)) {}

  // Each says whether it could be read; damaged() says why not.
  bool read(std::span<std::byte> out);
  bool word(std::uint64_t& out) { return read(std::as_writable_bytes(std::span(&out, 1))); }
  /// A length, and that many elements: at most `most` bytes, and no more than there are.
  template <class List>
  bool counted(std::size_t most, List& out) {
    std::uint64_t count = 0;
    if (!word(count) || count > std::min(most, left_) / sizeof(typename List::value_type)) return false;
    out.resize(static_cast<std::size_t>(count));
    return read(std::as_writable_bytes(std::span(out)));
  }
  /// The same without a look at the elements, each of `element` bytes.
  bool skip_counted(std::size_t element);
  bool skip(std::size_t count);
  /// Before the checksum.
  std::size_t left() const { return left_; }

  /// After everything else was read. Errors: kBadFile, kIo.
  Result<void> check_sum();

  /// kBadFile; or why the file could not be read, where that is what went wrong.
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
  Hash64 hash_;  // of what was read
  std::optional<Error> problem_;
};

}  // namespace partita
