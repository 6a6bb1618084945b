#include "engine/kernels/contention.h"

#include <algorithm>

namespace partita::internal {
namespace {

// A region drops a member when its members have waited this long, on average, and more than a quarter of the
// time. A thread that loses its core for one time slice of the scheduler (3 or 4 ms) is not enough.
constexpr std::int64_t kMaxHeldUp = 6'000'000;
constexpr std::int64_t kFairShare = 4;

// The time before the next trial with one more member. After a failed trial: twice as long, and long relative
// to the cost of the trial.
constexpr std::int64_t kFirstPause = 50'000'000, kMaxDoubledPause = 1'600'000'000;
constexpr std::int64_t kPauseOfCost = 20, kMaxPause = 60'000'000'000;

}  // namespace

int Contention::next_members(int threads, Time now) {
  const int most = drop_after_.load(std::memory_order_relaxed) > 0 ? threads : members(threads);
  if (most == threads) return most;
  const Count time = now.time_since_epoch().count();
  if (time - changed_ <= pause_) return most;
  max_members_ = most + 1;
  changed_ = time;
  return most + 1;
}

bool Contention::record(Duration lost, Duration elapsed, int members, Time now) {
  const Count held_up = std::max<Count>(held_up_ + lost.count() - elapsed.count() / kFairShare, 0);
  if (held_up <= kMaxHeldUp || members <= 1) {
    held_up_ = held_up;
    return false;
  }
  const Count time = now.time_since_epoch().count(), pause = pause_;
  // Soon after a trial, the trial has failed.
  const bool failed = time - changed_ < pause + held_up;
  const Count doubled = std::min(2 * pause, kMaxDoubledPause), of_cost = kPauseOfCost * held_up;
  pause_ = failed ? std::min(std::max(doubled, of_cost), kMaxPause) : kFirstPause;
  max_members_ = members - 1;
  changed_ = time;
  held_up_ = 0;
  return true;
}

}  // namespace partita::internal
