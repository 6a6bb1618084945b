#include "tools/locked_file.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace tools {

using partita::Error;
using partita::ErrorCode;
using partita::Result;

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Error file_error(const char* what, const std::string& path) {
  return {ErrorCode::kIo, std::string(what) + " \"" + path + "\": " + std::strerror(errno)};
}

Result<int> open_locked(const std::string& path, int flags, mode_t mode) {
  const Error locked = {ErrorCode::kInvalidArgument, "another process is writing \"" + path + "\""};
  for (int attempt = 0; attempt < 10; ++attempt) {
    Descriptor fd(::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | flags, mode));
    if (fd.get() < 0 && errno == ENOENT && (flags & O_CREAT) == 0)
      return Error{ErrorCode::kNotFound, "there is no file \"" + path + "\""};
    if (fd.get() < 0) return file_error("cannot open", path);
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
      return errno == EWOULDBLOCK ? locked : file_error("cannot lock", path);
    // The process that held the lock before may have replaced the file.
    if (!is_at(fd.get(), path)) continue;
    if (auto synced = sync_directory_of(path); !synced) return synced.error();
    return fd.take();
  }
  return locked;
}

bool is_at(int fd, const std::string& path) {
  struct stat opened = {}, named = {};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error("cannot write", path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> sync_directory_of(const std::string& path) {
  std::error_code ignored;
  std::filesystem::path directory = std::filesystem::canonical(path, ignored).parent_path();
  const Descriptor fd(
      ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0 && fsync(fd.get()) != 0 && errno == EIO)
    return file_error("cannot write the directory of", path);
  return {};
}

}  // namespace tools
