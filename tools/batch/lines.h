// Lines from a source of bytes, with bounded memory and an ear for Ctrl-C.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/batch/byte_source.h"

namespace tools {

/// What a read ended with. kNotYet: no whole line has come.
enum class LineEnd { kLine, kEof, kInterrupted, kTooLong, kError, kNotYet };

/// Bytes that a line has at most where nothing else is said.
inline constexpr std::size_t kLongestLine = std::size_t{16} << 20;

/// Reads line by line.
class LineReader {
 public:
  /// max_bytes: longer lines are read over and reported as kTooLong, without their text.
  explicit LineReader(std::unique_ptr<ByteSource> source, std::size_t max_bytes = kLongestLine)
      : source_(std::move(source)), max_bytes_(max_bytes) {}
  /// A descriptor as it is; it is not closed.
  explicit LineReader(int fd, std::size_t max_bytes = kLongestLine)
      : LineReader(std::make_unique<FileBytes>(fd), max_bytes) {}

  /// The next line without its newline (a last line need not have one). After kError error() says why. With
  /// wait = false it returns kNotYet rather than wait for whoever writes.
  LineEnd next(std::string& line, bool wait = true);

  const partita::Error& error() const { return *error_; }
  /// Bytes up to and including the newline of the last line given.
  std::size_t consumed() const { return consumed_; }
  /// Bytes that have come from the source, and those of the file behind it.
  std::size_t received() const { return received_; }
  std::size_t position() const { return source_->position(); }
  /// Whether the last line ended with a newline.
  bool terminated() const { return terminated_; }

 private:
  LineEnd refuse(partita::Error error);
  void take(std::size_t end);

  std::unique_ptr<ByteSource> source_;
  std::size_t max_bytes_;
  std::string buffer_;
  std::size_t start_ = 0;
  std::string line_;  // as much of the next line as has come
  bool too_long_ = false;
  std::size_t consumed_ = 0, received_ = 0;
  bool terminated_ = false;
  std::optional<partita::Error> error_;
};

}  // namespace tools
