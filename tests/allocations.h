// Counts the allocations of this test program through operator new, and injects allocation failures.
#pragma once

#include <cstddef>

namespace partita::internal::test {

/// Measures allocations since construction: the peak memory above the level at construction, and the number
/// of allocations. Only one may exist at a time; for one thread.
class AllocationWatch {
 public:
  AllocationWatch();
  std::size_t peak_bytes() const;
  /// The number of allocations since construction.
  std::size_t count() const;

 private:
  std::size_t before_, count_before_;
};

/// Bytes allocated by operator new and not deleted yet.
std::size_t live_allocated_bytes();

/// Whether one allocation fails, or all from then on.
enum class Exhaustion { kOnce, kLasting };

/// While it exists, allocation number `fails` (from 0) of this program fails, with kLasting also all later
/// ones: operator new throws std::bad_alloc or returns null. In programs that link faults/mappings.cc,
/// aligned_alloc() and anonymous mmap(), which AlignedBytes calls, count as allocations too. Only one may
/// exist at a time; it counts the allocations of all threads.
class FailingAllocation {
 public:
  FailingAllocation(std::size_t fails, Exhaustion exhaustion);
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  /// The number of allocations since construction, failed ones included.
  static std::size_t attempts_so_far();
};

/// Counts an allocation; returns whether it must fail.
bool allocation_fails() noexcept;

}  // namespace partita::internal::test
