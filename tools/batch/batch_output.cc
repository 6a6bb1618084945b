#include "tools/batch/batch_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "tools/batch/batch_resume.h"
#include "tools/locked_file.h"

namespace tools {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

Result<BatchOutput> BatchOutput::open(const std::string& path, bool drop_errors, BatchLedger& ledger) {
  if (path == "-") return BatchOutput(STDOUT_FILENO, path);
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    // A pipe or a device: there are no rows to resume from.
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return file_error("cannot open", path);
    return BatchOutput(fd, path);
  }
  auto file = open_locked(path);
  if (!file) return file.error();
  auto found = resume(*file, path, drop_errors, ledger);
  if (!found) return found.error();
  BatchOutput output(found->fd, path);
  output.is_file_ = true;
  output.bytes_ = output.synced_bytes_ = found->bytes;
  output.rows_ = output.synced_rows_ = found->rows;
  output.errors_found_ = found->errors;
  return output;
}

BatchOutput::BatchOutput(BatchOutput&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      is_file_(other.is_file_),
      bytes_(other.bytes_),
      rows_(other.rows_),
      synced_bytes_(other.synced_bytes_),
      synced_rows_(other.synced_rows_),
      errors_found_(other.errors_found_) {}

BatchOutput::~BatchOutput() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

/// Truncates a file to `bytes`, which are whole rows.
Error BatchOutput::failed(int why, std::size_t bytes, std::size_t rows) {
  const std::string what = path_ == "-" ? "stdout" : "\"" + path_ + "\"";
  const std::string reason = "cannot write to " + what + ": " + std::strerror(why);
  if (!is_file_) {
    return {ErrorCode::kIo,
            reason + "; " + std::to_string(rows) + " rows had been written" +
                (path_ == "-" ? "; a job with -o FILE can be resumed after such an error" : "")};
  }
  if (ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
    return {ErrorCode::kIo, reason +
                                "; solve that and run the same command again: it removes the torn line and "
                                "goes on"};
  }
  bytes_ = bytes;
  rows_ = rows;
  const char* remedy = why == ENOSPC || why == EDQUOT ? "free some space"
                       : why == EFBIG                 ? "raise the limit on the size of files"
                                                      : "solve that";
  return {ErrorCode::kIo, reason + "; the " + std::to_string(rows) + " rows that it holds are kept: " +
                              remedy + " and run the same command again to go on"};
}

Result<void> BatchOutput::write(const Json& row) {
  const std::string line = json_text(row) + "\n";
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t n = ::write(fd_, line.data() + written, line.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(errno, bytes_, rows_);
    written += static_cast<std::size_t>(n);
  }
  bytes_ += line.size();
  ++rows_;
  return {};
}

Result<void> BatchOutput::sync() {
  if (is_file_ && !synced() && fdatasync(fd_) != 0) return failed(errno, synced_bytes_, synced_rows_);
  synced_bytes_ = bytes_;
  synced_rows_ = rows_;
  return {};
}

}  // namespace tools
