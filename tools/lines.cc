#include "tools/lines.h"

#include <unistd.h>

#include <cerrno>
#include <partita/partita.hpp>

#include "tools/common.h"

namespace tools {

LineEnd LineReader::next(std::string& line) {
  line.clear();
  bool too_long = false;
  while (true) {
    const std::size_t newline = buffer_.find('\n', start_);
    const std::size_t end = newline == std::string::npos ? buffer_.size() : newline;
    if (line.size() + (end - start_) > max_bytes_) too_long = true;
    if (!too_long) line.append(buffer_, start_, end - start_);
    consumed_ += end - start_;
    start_ = end;
    if (newline != std::string::npos) {
      ++start_;
      ++consumed_;
      terminated_ = true;
      if (too_long) line.clear();
      return too_long ? LineEnd::kTooLong : LineEnd::kLine;
    }
    char chunk[1 << 14];
    const ssize_t n = ::read(fd_, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) {
      if (interrupted().is_set()) return LineEnd::kInterrupted;
      continue;
    }
    if (n < 0) return LineEnd::kError;
    if (n == 0) {
      terminated_ = false;
      if (too_long) return LineEnd::kTooLong;
      return line.empty() ? LineEnd::kEof : LineEnd::kLine;
    }
    buffer_.assign(chunk, static_cast<std::size_t>(n));
    start_ = 0;
  }
}

}  // namespace tools
