// Chooses the number of members of parallel regions, from how long members of earlier regions delayed each
// other.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace partita::internal {

/// Shared by all regions of the process, which may run at once: all regions use what one has learned.
class Contention {
 public:
  using Duration = std::chrono::nanoseconds;
  using Time = std::chrono::time_point<std::chrono::steady_clock, Duration>;

  static Time now() { return std::chrono::steady_clock::now(); }

  /// The number of members of the next region of a team of `threads`.
  int members(int threads) const {
    return threads < max_members_ ? threads : max_members_.load(std::memory_order_relaxed);
  }

  /// The same; from time to time one more, as a trial.
  int next_members(int threads, Time now);

  /// Records that members waited for each other for `lost` of the last `elapsed`. Returns true if the region
  /// should drop one of its `members`; later regions then have one fewer too.
  bool record(Duration lost, Duration elapsed, int members, Time now);

  /// For tests: a region drops a member at barrier number `barriers` from now, however fast it is, and until
  /// then regions have all members; 0: at none. Returns how many barriers were left of the call before.
  int drop_after(int barriers) { return drop_after_.exchange(barriers); }
  /// Counts a barrier. Whether it is that of drop_after().
  bool drops_now() {
    return drop_after_.load(std::memory_order_relaxed) > 0 && drop_after_.fetch_sub(1) == 1;
  }

 private:
  using Count = Duration::rep;  // nanoseconds

  std::atomic<int> max_members_{1 << 16};  // members
  std::atomic<Count> held_up_{0};          // the cost of recent waiting
  std::atomic<Count> pause_{0};            // until the next trial with one more
  std::atomic<Count> changed_{0};          // when max_members_ changed
  std::atomic<int> drop_after_{0};         // barriers
};

}  // namespace partita::internal
