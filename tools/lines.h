// Lines from a file descriptor, with bounded memory and an ear for Ctrl-C.
#pragma once

#include <string>

namespace tools {

/// What a read ended with.
enum class LineEnd { kLine, kEof, kInterrupted, kTooLong, kError };

/// Reads line by line. The descriptor is not closed.
class LineReader {
 public:
  /// max_bytes: longer lines are read over and reported as kTooLong, without their text.
  explicit LineReader(int fd, std::size_t max_bytes = std::size_t{16} << 20)
      : fd_(fd), max_bytes_(max_bytes) {}

  /// The next line without its newline (a last line need not have one). kError leaves errno.
  LineEnd next(std::string& line);

  /// Bytes up to and including the newline of the last line given.
  std::size_t consumed() const { return consumed_; }
  /// Whether the last line ended with a newline.
  bool terminated() const { return terminated_; }

 private:
  int fd_;
  std::size_t max_bytes_;
  std::string buffer_;
  std::size_t start_ = 0;
  std::size_t consumed_ = 0;
  bool terminated_ = false;
};

}  // namespace tools
