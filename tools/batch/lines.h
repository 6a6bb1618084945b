// Reads lines from a byte stream, with bounded memory; Ctrl-C interrupts it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/batch/byte_source.h"

namespace tools {

/// The result of a read. kNotYet: no whole line has arrived.
enum class LineEnd { kLine, kEof, kInterrupted, kTooLong, kError, kNotYet };

/// Default limit of the bytes of a line.
inline constexpr std::size_t kMaxLineBytes = std::size_t{16} << 20;

/// Reads line by line.
class LineReader {
 public:
  /// max_bytes: longer lines are skipped and reported as kTooLong, without their text.
  explicit LineReader(std::unique_ptr<ByteSource> source, std::size_t max_bytes = kMaxLineBytes)
      : source_(std::move(source)), max_bytes_(max_bytes) {}
  /// Reads a descriptor, which is not closed.
  explicit LineReader(int fd, std::size_t max_bytes = kMaxLineBytes)
      : LineReader(std::make_unique<FileBytes>(fd), max_bytes) {}

  /// The next line without its newline (the last line may lack one). After kError error() says why. With wait
  /// = false it returns kNotYet instead of blocking.
  LineEnd next(std::string& line, bool wait = true);

  const partita::Error& error() const { return *error_; }
  /// Bytes up to and including the newline of the last returned line.
  std::size_t consumed() const { return consumed_; }
  /// Bytes received from the source, and consumed bytes of the file behind it.
  std::size_t received() const { return received_; }
  std::size_t position() const { return source_->position(); }
  /// True if the last line ended with a newline.
  bool terminated() const { return terminated_; }

 private:
  LineEnd refuse(partita::Error error);
  void take(std::size_t end);

  std::unique_ptr<ByteSource> source_;
  std::size_t max_bytes_;
  std::string buffer_;
  std::size_t start_ = 0;
  std::string line_;  // the part of the next line that has arrived
  bool too_long_ = false;
  std::size_t consumed_ = 0, received_ = 0;
  bool terminated_ = false;
  std::optional<partita::Error> error_;
};

}  // namespace tools
