// Counts what operator new hands out in this test program.
#pragma once

#include <cstddef>

namespace partita::test {

/// The largest amount of memory that was allocated at one time since construction, beyond what was then.
/// One at a time; for one thread.
class AllocationWatch {
 public:
  AllocationWatch();
  std::size_t peak_bytes() const;

 private:
  std::size_t before_;
};

}  // namespace partita::test
