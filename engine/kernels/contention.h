// How many members parallel regions should have, learned from how long these held each other up.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace partita {

/// Shared by all regions of the process, which may run at once: what one has learned, the others need not.
class Contention {
 public:
  using Duration = std::chrono::nanoseconds;
  using Time = std::chrono::time_point<std::chrono::steady_clock, Duration>;

  static Time now() { return std::chrono::steady_clock::now(); }

  /// How many members the next region of a team of `threads` has.
  int members(int threads) const { return threads < most_ ? threads : most_.load(std::memory_order_relaxed); }

  /// The same; from time to time one more than the last, to try.
  int next_members(int threads, Time now);

  /// Takes in that members waited for each other for `lost` of the last `elapsed`. True if the `members`
  /// there are should be one fewer, as those of later regions then are.
  bool take(Duration lost, Duration elapsed, int members, Time now);

 private:
  using Count = Duration::rep;  // nanoseconds

  std::atomic<int> most_{1 << 16};  // members
  std::atomic<Count> held_up_{0};   // what waiting has cost lately
  std::atomic<Count> pause_{0};     // until it tries with one more
  std::atomic<Count> changed_{0};   // when most_ did
};

}  // namespace partita
