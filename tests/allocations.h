// Counts what operator new hands out in this test program.
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

}  // namespace partita::test
