// aligned_alloc() and anonymous mmap() that fail when a FailingAllocation says so: the linker's --wrap puts
// these in place of the system's calls.
#include <sys/mman.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>

#include "tests/allocations.h"

extern "C" {
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);
void* __real_mmap(void* address, std::size_t size, int protection, int flags, int fd, off_t offset);

void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  return partita::internal::test::allocation_fails() ? nullptr : __real_aligned_alloc(alignment, size);
}

void* __wrap_mmap(void* address, std::size_t size, int protection, int flags, int fd, off_t offset) {
  if ((flags & MAP_ANONYMOUS) != 0 && partita::internal::test::allocation_fails()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return __real_mmap(address, size, protection, flags, fd, offset);
}
}
