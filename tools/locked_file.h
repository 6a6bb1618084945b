// Append-only files, locked so that one process at a time writes.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <partita/result.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace tools {

/// A file descriptor, closed by the destructor unless it was taken.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.take()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }
  int take() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// An error with what was tried, the path, and errno's text.
partita::Error file_error(const char* what, const std::string& path);

/// Opens a regular file for appending, locks it against other processes, and syncs its directory entry.
/// flags: O_CREAT creates a missing file with this mode less the umask, 0 does not. Errors: kNotFound without
/// O_CREAT; kIo; kInvalidArgument if another process has locked it.
partita::Result<int> open_locked(const std::string& path, int flags = O_CREAT, mode_t mode = 0666);

/// True if the open file is the one at this path.
bool is_at(int fd, const std::string& path);

partita::Result<void> write_all(int fd, std::string_view text, const std::string& path);

/// Syncs the directory of a file, so that its name is on the disk. Ignores file systems that refuse this.
partita::Result<void> sync_directory_of(const std::string& path);

}  // namespace tools
