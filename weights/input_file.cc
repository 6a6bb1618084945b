#include "weights/input_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <system_error>
#include <utility>

#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
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
  int take() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

constexpr std::size_t kLoadBytes = std::size_t{64} << 10;  // the least that load() reads at a time

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::size_t round_up_to_pages(std::size_t bytes) {
  return (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
}

Error system_error(const std::string& path, int reason) {
  if (reason == ENOMEM) return out_of_memory();
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

/// Addresses without memory. Access to bytes that are not loaded faults instead of reading zeros.
Result<std::span<const std::byte>> reserve(const std::string& path, std::size_t size) {
  void* const address =
      ::mmap(nullptr, round_up_to_pages(size), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) return system_error(path, errno);
  return std::span<const std::byte>(static_cast<const std::byte*>(address), size);
}

}  // namespace

Result<InputFile> InputFile::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer. It means nothing for regular files.
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const int reason = fd.get() < 0 ? errno : 0;
  std::string name = printable(path);
  if (fd.get() < 0) return system_error(name, reason);
  const Result<std::size_t> size = checked_size(name, fd.get());
  if (!size) return size.error();
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);  // only a hint
  const auto addresses = reserve(name, *size);
  if (!addresses) return addresses.error();
  return InputFile(std::move(name), fd.take(), *addresses, 0);
}

InputFile InputFile::in_memory(std::span<const std::byte> bytes, std::string name) {
  return {std::move(name), -1, bytes, bytes.size()};
}

Result<InputFile> InputFile::computed(std::span<const std::byte> head, std::uint64_t bytes, FileSource source,
                                      std::string name) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 47;  // beyond every address space
  if (bytes > kMaxBytes) {
    return Error{ErrorCode::kUnsupported,
                 sentence("'", name, "' has ", bytes, " bytes, and the limit is ", kMaxBytes)};
  }
  const auto addresses = reserve(name, head.size() + static_cast<std::size_t>(bytes));
  if (!addresses) return addresses.error();
  InputFile file(std::move(name), -1, *addresses, 0);
  file.source_ = [begin = head.size(), source = std::move(source)](std::uint64_t offset, auto out) {
    return source(offset - begin, out);
  };
  auto* const begin = const_cast<std::byte*>(file.bytes_.data());
  if (::mprotect(begin, round_up_to_pages(head.size()), PROT_READ | PROT_WRITE) != 0)
    return system_error(file.path_, errno);
  std::memcpy(begin, head.data(), head.size());
  file.loaded_ = head.size();
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      source_(std::exchange(other.source_, {})),
      bytes_(std::exchange(other.bytes_, {})),
      loaded_(std::exchange(other.loaded_, 0)) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(source_, other.source_);
  std::swap(bytes_, other.bytes_);
  std::swap(loaded_, other.loaded_);
  return *this;
}

InputFile::~InputFile() {
  if (is_in_memory()) return;
  if (fd_ >= 0) ::close(fd_);
  ::munmap(const_cast<std::byte*>(bytes_.data()), round_up_to_pages(bytes_.size()));
}

Result<void> InputFile::load(std::size_t count) {
  if (count <= loaded_) return {};
  const std::size_t end = std::min(std::max(count, loaded_ + kLoadBytes), size());
  std::byte* const begin = const_cast<std::byte*>(bytes_.data());
  if (::mprotect(begin, round_up_to_pages(end), PROT_READ | PROT_WRITE) != 0)
    return system_error(path_, errno);
  if (auto done = read(loaded_, {begin + loaded_, end - loaded_}); !done) return done;
  loaded_ = end;
  return {};
}

Result<std::span<const std::byte>> InputFile::view(std::span<const std::byte> part,
                                                   std::vector<std::byte>& buffer) const {
  const auto offset = static_cast<std::size_t>(part.data() - bytes_.data());
  if (part.size() <= loaded_ && offset <= loaded_ - part.size()) return part;
  if (buffer.size() < part.size()) buffer.resize(part.size());
  const std::span<std::byte> out = std::span(buffer).first(part.size());
  TRY(read(offset, out));
  return std::span<const std::byte>(out);
}

Result<void> InputFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (fd_ < 0) {
    const std::size_t count =
        std::min<std::size_t>(out.size(), loaded_ - std::min<std::size_t>(offset, loaded_));
    if (count > 0) std::memcpy(out.data(), bytes_.data() + offset, count);
    return count == out.size() ? Result<void>() : source_(offset + count, out.subspan(count));
  }
  while (!out.empty()) {
    const ssize_t count = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(path_, errno);
    if (count == 0) {
      return Error{ErrorCode::kIo, sentence("'", path_, "' was shortened while it was read: it had ", size(),
                                            " bytes, and now ends before byte ", offset + 1,
                                            "; open it again when no program is writing to it")};
    }
    offset += static_cast<std::uint64_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<std::string> read_text_file(const std::string& path, std::string_view what, std::size_t max_bytes) {
  const auto file = InputFile::open(path);
  if (!file) return file.error();
  if (file->size() > max_bytes) {
    return Error{ErrorCode::kBadFile, sentence("'", file->path(), "' has ", file->size(), " bytes, and ",
                                               what, " has at most ", max_bytes)};
  }
  std::string text(file->size(), '\0');
  TRY(file->read(0, std::as_writable_bytes(std::span(text))));
  return text;
}

}  // namespace partita::internal
