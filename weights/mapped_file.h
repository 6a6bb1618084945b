// A file mapped into memory, read-only.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "partita/result.hpp"

namespace partita {

/// Owns one read-only mapping of a whole regular file; unmaps it at the end. Movable.
///
/// A file that another program shortens while it is mapped cannot be read safely by anyone: replace model
/// files by renaming, as download tools do.
class MappedFile {
 public:
  /// Errors, one sentence each that names the path and says what to do: kNotFound (no such file); kIo
  /// (directory, device or pipe, no permission, the system's reason otherwise); kBadFile (empty).
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }  // never empty

  /// Gives the memory of the whole pages inside `part` back; reading them again reads the file again.
  /// A `part` that does not lie in bytes() is left alone.
  void release(std::span<const std::byte> part) const;

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

}  // namespace partita
