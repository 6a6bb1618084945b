#include "tools/batch/batch_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/batch/decompress.h"

namespace tools {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

Result<BatchInput> BatchInput::open(const std::string& in, const std::string& out) {
  if (in == "-") return BatchInput(STDIN_FILENO, "stdin");
  const int fd = ::open(in.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error{ErrorCode::kIo, "cannot open \"" + in + "\": " + std::strerror(errno)};
  BatchInput input(fd, "\"" + in + "\"");
  struct stat read = {}, written = {};
  if (fstat(fd, &read) == 0 && S_ISDIR(read.st_mode)) {
    return Error{ErrorCode::kIo, "cannot read \"" + in + "\": it is a directory"};
  }
  if (out != "-" && stat(out.c_str(), &written) == 0 && read.st_dev == written.st_dev &&
      read.st_ino == written.st_ino) {
    return Error{ErrorCode::kInvalidArgument,
                 "\"" + out + "\" is the input; the output must be another file"};
  }
  return input;
}

BatchInput::BatchInput(int fd, std::string path)
    : fd_(fd),
      path_(std::move(path)),
      lines_(std::make_unique<DecompressedBytes>(std::make_unique<FileBytes>(fd))) {
  struct stat status = {};
  const off_t start = lseek(fd, 0, SEEK_CUR);
  if (start >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size >= start) {
    size_ = static_cast<std::size_t>(status.st_size - start);
    start_ = start;
  }
}

BatchInput::BatchInput(BatchInput&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      size_(other.size_),
      start_(other.start_),
      counted_(other.counted_),
      count_tried_(other.count_tried_),
      lines_(std::move(other.lines_)),
      line_number_(other.line_number_),
      rows_(other.rows_),
      ended_(other.ended_) {}

BatchInput::~BatchInput() {
  if (fd_ > STDIN_FILENO) ::close(fd_);
}

LineEnd BatchInput::next(std::string& line, bool wait) {
  while (true) {
    const LineEnd end = lines_.next(line, wait);
    if (end == LineEnd::kEof) ended_ = true;
    if (end != LineEnd::kLine && end != LineEnd::kTooLong) return end;
    ++line_number_;
    if (end == LineEnd::kLine && line.find_first_not_of(" \t\r") == std::string::npos) continue;
    ++rows_;
    return end;
  }
}

Error BatchInput::error() const {
  return {lines_.error().code, "cannot read " + path_ + " after line " + std::to_string(line_number_) + ": " +
                                   lines_.error().message};
}

/// Counts the lines that are not blank, with pread(): the file offset does not change.
std::optional<std::size_t> BatchInput::count_rows() const {
  std::vector<char> buffer(std::size_t{1} << 20);
  std::size_t rows = 0;
  bool blank = true;
  for (off_t at = start_;;) {
    const ssize_t n = ::pread(fd_, buffer.data(), buffer.size(), at);
    if (n < 0) return std::nullopt;
    if (n == 0) return rows + (blank ? 0 : 1);
    at += n;
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(n))) {
      if (c == '\n') {
        rows += blank ? 0 : 1;
        blank = true;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        blank = false;
      }
    }
  }
}

std::optional<RowTotal> BatchInput::total_rows() {
  constexpr std::size_t kMaxCountedBytes = std::size_t{256} << 20;  // takes a fraction of a second
  const auto rows = static_cast<double>(rows_);
  if (ended_) return RowTotal{rows, true};
  const auto of_file = static_cast<double>(lines_.position());
  if (!size_ || rows_ == 0 || of_file == 0) return std::nullopt;
  const bool compressed = lines_.received() != lines_.position();
  if (!compressed && *size_ <= kMaxCountedBytes && !std::exchange(count_tried_, true))
    counted_ = count_rows();
  if (counted_) return RowTotal{static_cast<double>(*counted_), true};
  // Bytes of text for each byte of the file; 1 if it is not compressed.
  const double growth = static_cast<double>(lines_.received()) / of_file;
  return RowTotal{rows * static_cast<double>(*size_) * growth / static_cast<double>(lines_.consumed()),
                  false};
}

}  // namespace tools
