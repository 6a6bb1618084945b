// Counts what operator new hands out in this test program, and makes allocations fail.
#pragma once

#include <cstddef>

namespace partita::test {

/// What has been allocated since construction: the largest amount of memory at one time, beyond what was
/// then, and how often.
/// One at a time; for one thread.
class AllocationWatch {
 public:
  AllocationWatch();
  std::size_t peak_bytes() const;
  /// How often memory was allocated since.
  std::size_t count() const;

 private:
  std::size_t before_, count_before_;
};

/// Bytes that operator new has handed out and that are not deleted yet.
std::size_t live_allocated_bytes();

/// How long a failing allocation lasts.
enum class Exhaustion { kOnce, kLasting };

/// While one lives, allocation number `fails` (from 0) of this program fails, and with kLasting all after it:
/// operator new throws std::bad_alloc or returns null. In programs with faults/mappings.cc aligned_alloc()
/// and anonymous mmap(), which AlignedBytes calls, are such allocations too. One at a time; counts every
/// thread.
class FailingAllocation {
 public:
  FailingAllocation(std::size_t fails, Exhaustion exhaustion);
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  /// Allocations since its construction, those that failed included.
  static std::size_t attempts_so_far();
};

/// Counts an allocation; whether it is to fail.
bool allocation_fails() noexcept;

}  // namespace partita::test
