#include "weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <system_error>
#include <utility>

#include "weights/sentence.h"

namespace partita {
namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Error system_error(const std::string& path, int reason) {
  const std::string why = std::generic_category().message(reason);
  if (reason == ENOENT || reason == ENOTDIR) {
    return {ErrorCode::kNotFound,
            sentence("there is no file '", path, "'; check the path, or download the model first")};
  }
  if (reason == EACCES || reason == EPERM) {
    return {ErrorCode::kIo,
            sentence("cannot read '", path, "' (", why, "); give yourself permission to read it")};
  }
  return {ErrorCode::kIo, sentence("cannot read '", path, "' (", why, "); check the disk and the path")};
}

/// The size of a regular, non-empty file that fits into the address space.
Result<std::size_t> checked_size(const std::string& path, int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return system_error(path, errno);
  if (S_ISDIR(info.st_mode)) {
    return Error{ErrorCode::kIo,
                 sentence("'", path, "' is a directory; give the path of a .gguf file inside it")};
  }
  if (!S_ISREG(info.st_mode)) {
    return Error{ErrorCode::kIo,
                 sentence("'", path, "' is a device, pipe or socket; give the path of a regular file")};
  }
  if (info.st_size == 0) {
    return Error{ErrorCode::kBadFile, sentence("'", path, "' is empty (0 bytes); download or copy it again")};
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > std::numeric_limits<std::size_t>::max()) {
    return Error{ErrorCode::kUnsupported,
                 sentence("'", path, "' has ", size,
                          " bytes, more than this machine can address; use a 64-bit build")};
  }
  return static_cast<std::size_t>(size);
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer. It means nothing for regular files.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return system_error(path, errno);
  const Result<std::size_t> size = checked_size(path, fd.get());
  if (!size) return size.error();
  void* address = ::mmap(nullptr, *size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (address == MAP_FAILED) return system_error(path, errno);
  // A hint only: tensors are read once, front to back, when they are packed.
  ::madvise(address, *size, MADV_SEQUENTIAL);
  return MappedFile({static_cast<const std::byte*>(address), *size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release(std::span<const std::byte> part) const {
  const auto file_first = reinterpret_cast<std::uintptr_t>(bytes_.data());
  const auto first = reinterpret_cast<std::uintptr_t>(part.data());
  if (first < file_first || first - file_first > bytes_.size()) return;
  if (part.size() > bytes_.size() - (first - file_first)) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t from = (first + page - 1) / page * page;
  const std::uintptr_t to = (first + part.size()) / page * page;
  if (from < to) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}

}  // namespace partita
