#include "weights/checked_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace partita {
namespace {

constexpr int kMostNames = 100;
constexpr std::size_t kSumBytes = sizeof(std::uint64_t);

}  // namespace

NewFile::NewFile(const std::string& path) : path_(path), target_(path) {
  std::error_code none;
  const auto real = std::filesystem::canonical(path, none);
  if (!none) target_ = real.string();
}

Result<NewFile> NewFile::create(const std::string& path, unsigned mode) {
  NewFile file(path);
  if (struct stat there = {}; ::stat(file.target_.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    return Error{ErrorCode::kIo, "'" + path + "' cannot be written: it is there and is no regular file"};
  }
  int fd = -1;
  // A name that nobody has: others may be writing to the same place, and what was killed left its own behind.
  for (int i = 0; fd < 0 && i < kMostNames; ++i) {
    file.name_ = file.target_ + ".part" + std::to_string(::getpid()) + "." + std::to_string(i);
    fd = ::open(file.name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0 && errno != EEXIST) break;
  }
  if (fd < 0) return file.failed();
  file.file_ = fdopen(fd, "wb");
  if (file.file_ == nullptr) {
    ::close(fd);
    ::unlink(file.name_.c_str());
    return file.failed();
  }
  struct stat old = {};
  if (::stat(file.target_.c_str(), &old) == 0 && ::fchmod(fd, old.st_mode & 07777) != 0) return file.failed();
  return file;
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      name_(std::move(other.name_)),
      file_(std::exchange(other.file_, nullptr)),
      hash_(other.hash_) {}

NewFile::~NewFile() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  ::unlink(name_.c_str());
}

bool NewFile::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) return true;  // which fwrite() must not be asked for
  hash_.add(bytes);
  return std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size();
}

Result<void> NewFile::finish() {
  if (!write(hash_.sum())) return failed();
  return finish_plain();
}

Result<void> NewFile::finish_plain() {
  if (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0) return failed();
  if (::rename(name_.c_str(), target_.c_str()) != 0) return failed();
  std::fclose(std::exchange(file_, nullptr));
  return {};
}

Error NewFile::failed() const {
  return {ErrorCode::kIo, "cannot write \"" + path_ + "\": " + std::strerror(errno)};
}

FileReader::FileReader(const std::string& path, Bytes file)
    : path_(path), file_(file), rest_(file.first(file.size() - std::min(file.size(), kSumBytes))) {}

bool FileReader::take(std::size_t count, Bytes& out) {
  if (count > rest_.size()) return false;
  out = rest_.first(count);
  rest_ = rest_.subspan(count);
  return true;
}

bool FileReader::word(std::uint64_t& out) {
  Bytes bytes;
  if (!take(sizeof out, bytes)) return false;
  std::memcpy(&out, bytes.data(), sizeof out);
  return true;
}

bool FileReader::counted(std::size_t most, std::size_t element, Bytes& out) {
  std::uint64_t count = 0;
  return word(count) && count <= most / element && take(static_cast<std::size_t>(count) * element, out);
}

Result<void> FileReader::check_sum() const {
  std::uint64_t sum = 0;
  if (file_.size() < kSumBytes) return damaged("it ends in its header");
  std::memcpy(&sum, file_.data() + file_.size() - kSumBytes, sizeof sum);
  Hash64 hash;
  hash.add(file_.first(file_.size() - kSumBytes));
  if (sum != hash.sum()) return damaged("its checksum does not fit its contents");
  return {};
}

}  // namespace partita
