#include "weights/checked_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "partita/text.hpp"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr int kMaxNameAttempts = 100;
constexpr std::size_t kBufferBytes = std::size_t{1} << 16;
constexpr const char* kOwnFiles = "/proc/self/fd/";

/// Sets `name` to a name beside `target` that `take` takes; empty, and false, if it takes none. Another
/// process may be writing to the same target, and a killed one may have left its file.
template <class Take>
bool use_free_name(const std::string& target, std::string& name, Take&& take) {
  for (int i = 0; i < kMaxNameAttempts; ++i) {
    name = target + ".part" + std::to_string(::getpid()) + "." + std::to_string(i);
    if (take(name.c_str())) return true;
    if (errno != EEXIST) break;
  }
  name.clear();
  return false;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(path) {
  buffer_.reserve(kBufferBytes);
  std::error_code none;
  const auto real = std::filesystem::canonical(path, none);
  if (!none) target_ = real.string();
}

Result<AtomicFile> AtomicFile::create(const std::string& path, unsigned mode, Unfinished where) {
  AtomicFile file(path);
  if (struct stat there = {}; ::stat(file.target_.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    return Error{ErrorCode::kIo,
                 "'" + printable(path) + "' cannot be written: it exists and is not a regular file"};
  }
  if (where == Unfinished::kUnnamed) file.open_unnamed(mode);
  if (file.fd_ < 0) file.open_named(mode);
  if (file.fd_ < 0) {
    file.reason_ = errno;
    return file.write_error();
  }
  struct stat old = {};
  if (::stat(file.target_.c_str(), &old) == 0 && ::fchmod(file.fd_, old.st_mode & 07777) != 0) {
    file.reason_ = errno;
    return file.write_error();
  }
  return file;
}

void AtomicFile::open_unnamed(unsigned mode) {
  if (::access(kOwnFiles, X_OK) != 0) return;  // link_name() needs it
  const std::filesystem::path directory = std::filesystem::path(target_).parent_path();
  fd_ = ::open(directory.empty() ? "." : directory.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, mode);
}

void AtomicFile::open_named(unsigned mode) {
  use_free_name(target_, name_, [&](const char* name) {
    fd_ = ::open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return fd_ >= 0;
  });
}

bool AtomicFile::link_name() {
  const std::string file = kOwnFiles + std::to_string(fd_);
  return use_free_name(target_, name_, [&](const char* name) {
    return ::linkat(AT_FDCWD, file.c_str(), AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
  });
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      name_(std::move(other.name_)),
      fd_(std::exchange(other.fd_, -1)),
      reason_(other.reason_),
      buffer_(std::move(other.buffer_)),
      hash_(other.hash_) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!name_.empty()) ::unlink(name_.c_str());
}

bool AtomicFile::write_through(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      reason_ = n < 0 ? errno : EIO;
      return false;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

bool AtomicFile::flush() {
  const bool written = write_through(buffer_);
  buffer_.clear();
  return written;
}

bool AtomicFile::write(std::span<const std::byte> bytes) {
  hash_.add(bytes);
  if (buffer_.size() + bytes.size() > kBufferBytes && !flush()) return false;
  if (bytes.size() >= kBufferBytes) return write_through(bytes);
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());  // within the reserved capacity
  return true;
}

Result<void> AtomicFile::finish() {
  if (!write(hash_.sum())) return write_error();
  return finish_without_checksum();
}

Result<void> AtomicFile::finish_without_checksum() {
  bool done = flush();
  const auto check = [&](int outcome) {
    if (outcome != 0 && done) reason_ = errno;
    done = done && outcome == 0;
  };
  if (done) check(::fsync(fd_));
  if (done && name_.empty()) check(link_name() ? 0 : -1);
  check(::close(std::exchange(fd_, -1)));
  if (done) check(::rename(name_.c_str(), target_.c_str()));
  if (done) return {};
  if (!name_.empty()) ::unlink(name_.c_str());
  return write_error();
}

Error AtomicFile::write_error() const {
  return {ErrorCode::kIo, "cannot write \"" + printable(path_) + "\": " + std::strerror(reason_)};
}

bool FileReader::read(std::span<std::byte> out) {
  if (out.size() > left_) return false;
  if (auto done = file_.read(position_, out); !done) {
    problem_ = done.error();
    return false;
  }
  hash_.add(out);
  position_ += out.size();
  left_ -= out.size();
  return true;
}

bool FileReader::skip(std::size_t count) {
  if (count > left_) return false;
  std::vector<std::byte> piece(std::min(count, kBufferBytes));
  for (; count > 0; count -= piece.size()) {
    piece.resize(std::min(count, piece.size()));
    if (!read(piece)) return false;
  }
  return true;
}

bool FileReader::skip_counted(std::size_t element) {
  std::uint64_t count = 0;
  return word(count) && count <= left_ / element && skip(static_cast<std::size_t>(count) * element);
}

Result<void> FileReader::verify_checksum() {
  std::uint64_t sum = 0;
  if (file_.size() < kSumBytes || left_ != 0) return damaged("it ends in its header");
  TRY(file_.read(position_, std::as_writable_bytes(std::span(&sum, 1))));
  if (sum != hash_.sum()) return damaged("its checksum does not match its contents");
  return {};
}

}  // namespace partita::internal
