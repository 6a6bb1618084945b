// Bytes from a file, a pipe, or what is packed in one.
#pragma once

#include <cstddef>
#include <partita/result.hpp>

namespace tools {

class ByteSource {
 public:
  struct Got {
    std::size_t bytes = 0;  // 0: the end, or nothing as yet
    bool ended = false;
  };

  virtual ~ByteSource() = default;

  /// Up to size > 0 bytes. Where wait is false and nothing has come yet: nothing, at once. Errors: kIo;
  /// kBadFile where what is packed is damaged; kCancelled by Ctrl-C.
  virtual partita::Result<Got> read(char* to, std::size_t size, bool wait) = 0;

  /// Bytes of the file that what was read so far took up.
  virtual std::size_t position() const = 0;
};

/// A descriptor as it is; it is not closed.
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
