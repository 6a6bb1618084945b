// Byte streams: a file or pipe, or decompressed data (decompress.h).
#pragma once

#include <cstddef>
#include <partita/result.hpp>

namespace tools {

class ByteSource {
 public:
  struct Got {
    std::size_t bytes = 0;  // 0: the end, or no data yet
    bool ended = false;
  };

  virtual ~ByteSource() = default;

  /// Reads up to size > 0 bytes. wait = false: does not block, returns 0 bytes if there is no data yet.
  /// Errors: kIo; kBadFile for damaged compressed data; kCancelled by Ctrl-C.
  virtual partita::Result<Got> read(char* to, std::size_t size, bool wait) = 0;

  /// Bytes of the file that were consumed so far.
  virtual std::size_t position() const = 0;
};

/// Reads a descriptor, uncompressed; does not close it.
class FileBytes : public ByteSource {
 public:
  explicit FileBytes(int fd) : fd_(fd) {}
  partita::Result<Got> read(char* to, std::size_t size, bool wait) override;
  std::size_t position() const override { return position_; }

 private:
  int fd_;
  std::size_t position_ = 0;
};

}  // namespace tools
