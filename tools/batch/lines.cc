#include "tools/batch/lines.h"

#include <utility>

#include "tools/common.h"

namespace tools {

using partita::Error;
using partita::ErrorCode;

/// Moves the buffer up to `end` to the line.
void LineReader::take(std::size_t end) {
  if (line_.size() + (end - start_) > max_bytes_) too_long_ = true;
  if (too_long_) {
    std::string().swap(line_);
  } else {
    line_.append(buffer_, start_, end - start_);
  }
  consumed_ += end - start_;
  start_ = end;
}

LineEnd LineReader::refuse(Error error) {
  if (error.code == ErrorCode::kCancelled) return LineEnd::kInterrupted;
  error_ = std::move(error);
  return LineEnd::kError;
}

LineEnd LineReader::next(std::string& line, bool wait) {
  constexpr std::size_t kChunk = std::size_t{1} << 16;
  line.clear();
  while (true) {
    const std::size_t newline = buffer_.find('\n', start_);
    take(newline == std::string::npos ? buffer_.size() : newline);
    terminated_ = newline != std::string::npos;
    if (terminated_) {
      ++start_;
      ++consumed_;
      line = std::exchange(line_, {});
      return std::exchange(too_long_, false) ? LineEnd::kTooLong : LineEnd::kLine;
    }
    buffer_.resize(kChunk);
    start_ = 0;
    const auto got = source_->read(buffer_.data(), kChunk, wait);
    buffer_.resize(got ? got->bytes : 0);
    if (!got) return refuse(got.error());
    received_ += got->bytes;
    if (interrupted().is_set()) return LineEnd::kInterrupted;
    if (got->bytes > 0) continue;
    if (!got->ended) return LineEnd::kNotYet;
    line = std::exchange(line_, {});
    if (std::exchange(too_long_, false)) return LineEnd::kTooLong;
    return line.empty() ? LineEnd::kEof : LineEnd::kLine;
  }
}

}  // namespace tools
