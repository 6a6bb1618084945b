// A library for LD_PRELOAD: counts a program's calls of the system by kind, and makes some of them fail.
//
//   PARTITA_FAULT=write:ENOSPC:3+   writes fail from the fourth one on
//   PARTITA_FAULT=read:short:7      the eighth read gives half of what it could
//   PARTITA_FAULT=new:ENOMEM:12     the 13th allocation of operator new fails, counted
//                                   after the program has set its handler (before main() no error is
//                                   reported)
//   PARTITA_FAULT_COUNTS=FILE       where to write, at the end, how many calls there were: {"read": 12, ...}
//
// Not seen: what libc calls inside itself, as its stdio does. Writes to stderr are not counted.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

enum Kind { kRead, kWrite, kSync, kRename, kClose, kNew, kKinds };
constexpr const char* kNames[kKinds] = {"read", "write", "sync", "rename", "close", "new"};

struct Code {
  const char* name;
  int value;  // 0: short
};
constexpr Code kCodes[] = {
    {"short", 0}, {"EIO", EIO}, {"EINTR", EINTR}, {"ENOSPC", ENOSPC}, {"ENOMEM", ENOMEM}};

struct Fault {
  int kind = kKinds;  // none
  int code = 0;
  long first = 0;
  bool lasts = false;
};

std::atomic<long> calls[kKinds];
std::atomic<bool> ready{false};  // not before libc is
Fault fault;

template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

void parse(const char* text) {
  char kind[16], code[16], more = 0;
  if (std::sscanf(text, "%15[^:]:%15[^:]:%ld%c", kind, code, &fault.first, &more) < 3) std::abort();
  fault.lasts = more == '+';
  for (const Code& known : kCodes) {
    if (std::strcmp(known.name, code) == 0) fault.code = known.value;
  }
  for (int i = 0; i < kKinds; ++i) {
    if (std::strcmp(kNames[i], kind) == 0) fault.kind = i;
  }
}

__attribute__((constructor)) void begin() {
  if (const char* text = std::getenv("PARTITA_FAULT")) parse(text);
  ready = true;
}

__attribute__((destructor)) void end() {
  ready = false;
  const char* path = std::getenv("PARTITA_FAULT_COUNTS");
  std::FILE* out = path != nullptr ? std::fopen(path, "w") : nullptr;
  if (out == nullptr) return;
  for (int i = 0; i < kKinds; ++i) {
    std::fprintf(out, "%s\"%s\": %ld", i == 0 ? "{" : ", ", kNames[i], calls[i].load());
  }
  std::fputs("}\n", out);
  std::fclose(out);
}

/// Whether the present call fails.
bool fails(Kind kind) {
  if (!ready) return false;
  const long n = calls[kind].fetch_add(1);
  return fault.kind == kind && (n == fault.first || (n > fault.first && fault.lasts));
}

/// The outcome of a transfer of `size` bytes that `call` would make.
template <class Call>
ssize_t transfer(Kind kind, size_t size, Call call) {
  if (!fails(kind)) return call(size);
  if (fault.code == 0) return call(std::max<size_t>(size / 2, std::min<size_t>(size, 1)));
  errno = fault.code;
  return -1;
}

template <class Call>
int outcome(Kind kind, Call call) {
  if (!fails(kind)) return call();
  errno = fault.code;
  return -1;
}

void* allocate(size_t size) noexcept {
  if (std::get_new_handler() != nullptr && fails(kNew)) return nullptr;
  return std::malloc(std::max<size_t>(size, 1));
}

void* allocate_or_throw(size_t size) {
  while (true) {
    if (void* memory = allocate(size)) return memory;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

}  // namespace

extern "C" {
ssize_t read(int fd, void* to, size_t size) {
  static auto* const next = real<decltype(read)>("read");
  return transfer(kRead, size, [&](size_t n) { return next(fd, to, n); });
}
ssize_t pread(int fd, void* to, size_t size, off_t at) {
  static auto* const next = real<decltype(pread)>("pread");
  return transfer(kRead, size, [&](size_t n) { return next(fd, to, n, at); });
}
ssize_t pread64(int fd, void* to, size_t size, off64_t at) {
  static auto* const next = real<decltype(pread64)>("pread64");
  return transfer(kRead, size, [&](size_t n) { return next(fd, to, n, at); });
}
ssize_t write(int fd, const void* from, size_t size) {
  static auto* const next = real<decltype(write)>("write");
  if (fd == STDERR_FILENO) return next(fd, from, size);
  return transfer(kWrite, size, [&](size_t n) { return next(fd, from, n); });
}
int fsync(int fd) {
  static auto* const next = real<decltype(fsync)>("fsync");
  return outcome(kSync, [&] { return next(fd); });
}
int fdatasync(int fd) {
  static auto* const next = real<decltype(fdatasync)>("fdatasync");
  return outcome(kSync, [&] { return next(fd); });
}
int rename(const char* from, const char* to) {
  static auto* const next = real<decltype(rename)>("rename");
  return outcome(kRename, [&] { return next(from, to); });
}
int close(int fd) {
  static auto* const next = real<decltype(close)>("close");
  if (!fails(kClose)) return next(fd);
  next(fd);  // as Linux does, whatever it says
  errno = fault.code;
  return -1;
}
}

void* operator new(size_t size) { return allocate_or_throw(size); }
void* operator new[](size_t size) { return allocate_or_throw(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
