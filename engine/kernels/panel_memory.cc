#include "engine/kernels/panel_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace partita::internal {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

AlignedBytes::AlignedBytes(std::size_t bytes) {
  if (bytes == 0) return;
  if (bytes < kHugePage) {
    const std::size_t room = round_up(bytes, kCacheLine);
    base_ = std::aligned_alloc(kCacheLine, room);
    if (base_ == nullptr) return;
    std::memset(base_, 0, room);
    data_ = static_cast<std::byte*>(base_);
  } else {
    // Directly from the system: zero, and in memory only when touched. Huge pages avoid most TLB misses of
    // the decoder, which reads all weights for every token.
    const std::size_t room = bytes + kHugePage;
    if (room < bytes) return;
    void* p = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return;
    base_ = p;
    mapped_ = room;
    data_ = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::uintptr_t>(p), kHugePage));
    madvise(data_, bytes, MADV_HUGEPAGE);
  }
  size_ = bytes;
}

AlignedBytes::AlignedBytes(AlignedBytes&& other) noexcept { *this = std::move(other); }

AlignedBytes& AlignedBytes::operator=(AlignedBytes&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(mapped_, other.mapped_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

AlignedBytes::~AlignedBytes() {
  if (mapped_ != 0) {
    munmap(base_, mapped_);
  } else {
    std::free(base_);
  }
}

void release_memory(std::byte* at, std::size_t bytes) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = round_up(reinterpret_cast<std::uintptr_t>(at), page);
  const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(at) + bytes) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::byte* PanelArena::allocate(std::size_t bytes) {
  const std::size_t room = round_up(bytes, kCacheLine);
  if (room <= block_.size() - used_) {
    std::byte* at = block_.data() + used_;
    used_ += room;
    return at;
  }
  return alone_.emplace_back(bytes).data();
}

}  // namespace partita::internal
