#include "tools/batch_output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "tools/lines.h"

namespace tools {
namespace {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

/// Rows with the log-probabilities of many tokens are long; a line beyond this is not one of ours.
constexpr std::size_t kLongestRow = std::size_t{1} << 30;

Error io_error(const char* what, const std::string& path) {
  return {ErrorCode::kIo, std::string(what) + " \"" + path + "\": " + std::strerror(errno)};
}

}  // namespace

Result<BatchOutput> BatchOutput::open(const std::string& path) {
  if (path == "-") return BatchOutput(stdout, path);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return io_error("cannot open", path);
  BatchOutput output(fdopen(fd, "r+b"), path);
  if (output.file_ == nullptr) {
    ::close(fd);
    return io_error("cannot open", path);
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return Error{ErrorCode::kInvalidArgument, "another process is writing \"" + path + "\""};
  }
  if (auto read = output.read_finished(fd); !read) return read.error();
  return output;
}

BatchOutput::BatchOutput(BatchOutput&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      path_(std::move(other.path_)),
      finished_(std::move(other.finished_)) {}

BatchOutput::~BatchOutput() {
  if (file_ != nullptr && file_ != stdout) std::fclose(file_);
}

Result<void> BatchOutput::read_finished(int fd) {
  struct stat status = {};
  if (fstat(fd, &status) != 0) return io_error("cannot read", path_);
  if (!S_ISREG(status.st_mode)) return {};  // a pipe or a device: nothing to go on from
  LineReader lines(fd, kLongestRow);
  std::string line;
  std::size_t whole = 0;  // bytes of whole lines
  for (std::size_t number = 1;; ++number) {
    const LineEnd end = lines.next(line);
    if (end == LineEnd::kError) return io_error("cannot read", path_);
    if (end == LineEnd::kInterrupted) return Error{ErrorCode::kCancelled, "interrupted"};
    if (end == LineEnd::kEof || !lines.terminated()) break;
    const Json row = Json::parse(line, nullptr, false);
    if (!row.is_object() || !row.contains("id")) {
      return Error{ErrorCode::kBadFile,
                   "line " + std::to_string(number) + " of \"" + path_ +
                       "\" is not a row of a batch; give a new file, or the one to go on with"};
    }
    ++finished_[json_text(row["id"])];
    whole = lines.consumed();
  }
  if (ftruncate(fd, static_cast<off_t>(whole)) != 0) return io_error("cannot write", path_);
  if (std::fseek(file_, 0, SEEK_END) != 0) return io_error("cannot write", path_);
  return {};
}

bool BatchOutput::take_finished(const Json& id) {
  const auto found = finished_.find(json_text(id));
  if (found == finished_.end()) return false;
  if (--found->second == 0) finished_.erase(found);
  return true;
}

Result<void> BatchOutput::write(const Json& row) {
  const std::string line = json_text(row) + "\n";
  const bool written =
      std::fwrite(line.data(), 1, line.size(), file_) == line.size() && std::fflush(file_) == 0;
  if (!written) return io_error("cannot write", path_);
  return {};
}

}  // namespace tools
