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

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(path) {
  buffer_.reserve(kBufferBytes);
  std::error_code none;
  const auto real = std::filesystem::canonical(path, none);
  if (!none) target_ = real.string();
}

Result<AtomicFile> AtomicFile::create(const std::string& path, unsigned mode) {
  AtomicFile file(path);
  if (struct stat there = {}; ::stat(file.target_.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    return Error{ErrorCode::kIo,
                 "'" + printable(path) + "' cannot be written: it exists and is not a regular file"};
  }
  // Look for an unused name: another process may be writing to the same path, and a killed one leaves its
  // temporary file behind.
  for (int i = 0; file.fd_ < 0 && i < kMaxNameAttempts; ++i) {
    file.name_ = file.target_ + ".part" + std::to_string(::getpid()) + "." + std::to_string(i);
    file.fd_ = ::open(file.name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file.fd_ < 0 && errno != EEXIST) break;
  }
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
  ::unlink(name_.c_str());
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
  check(::close(std::exchange(fd_, -1)));
  if (done) check(::rename(name_.c_str(), target_.c_str()));
  if (done) return {};
  ::unlink(name_.c_str());
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
