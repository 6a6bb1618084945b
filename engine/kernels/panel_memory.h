// Memory of panels and other arrays that the kernels read: aligned, zero at first, in huge pages.
#pragma once

#include <cstddef>
#include <vector>

namespace partita::internal {

/// Zero-filled bytes on a 64-byte boundary; large blocks take memory only where they are touched. Movable.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  /// Does not throw; data() is null if the allocation failed.
  explicit AlignedBytes(std::size_t bytes);
  AlignedBytes(AlignedBytes&& other) noexcept;
  AlignedBytes& operator=(AlignedBytes&& other) noexcept;
  ~AlignedBytes();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  void* base_ = nullptr;
  std::size_t mapped_ = 0;  // bytes of the mapping at base_, 0 if it is from the heap
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Returns memory in [at, at + bytes) to the system, as far as it consists of whole system pages; they read
/// as zero on the next access.
void release_memory(std::byte* at, std::size_t bytes);

/// An arena for matrices: small ones lie side by side in one block, so that all of them use few huge pages.
class PanelArena {
 public:
  /// A block of `bytes`; a matrix that does not fit (or all, if the block cannot be allocated) gets its own
  /// allocation.
  explicit PanelArena(std::size_t bytes = 0) : block_(bytes) {}
  /// Zero bytes on a 64-byte boundary, valid as long as the arena; null if the allocation failed.
  std::byte* allocate(std::size_t bytes);

 private:
  AlignedBytes block_;
  std::size_t used_ = 0;
  std::vector<AlignedBytes> alone_;
};

}  // namespace partita::internal
