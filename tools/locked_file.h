// Files that one process at a time appends to.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <partita/result.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace tools {

/// A descriptor that is closed unless it is taken.
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

/// One sentence of what was tried, and errno's.
partita::Error file_error(const char* what, const std::string& path);

/// Opens a regular file to append to it, locked against other processes, and its name is on the disk. flags:
/// O_CREAT creates it with this mode less the umask where it is missing, 0 does not. Errors: kNotFound
/// without O_CREAT; kIo; kInvalidArgument where another process has locked it.
partita::Result<int> open_locked(const std::string& path, int flags = O_CREAT, mode_t mode = 0666);

/// Whether the open file is the one of this path.
bool is_at(int fd, const std::string& path);

partita::Result<void> write_all(int fd, std::string_view text, const std::string& path);

/// A file's name is on the disk when its directory is. File systems that have no such thing refuse.
partita::Result<void> sync_directory_of(const std::string& path);

}  // namespace tools
