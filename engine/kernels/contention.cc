#include "engine/kernels/contention.h"

#include <algorithm>

namespace partita {
namespace {

// Regions get smaller when their members have waited this long, on average, and more than a quarter of the
// time. A thread that loses its core for one slice of the scheduler (3 or 4 ms) does not make them so.
constexpr std::int64_t kMostHeldUp = 6'000'000;
constexpr std::int64_t kFairShare = 4;

// How long before one more is tried. After a try that failed: twice as long, and long beside what it cost.
constexpr std::int64_t kFirstPause = 50'000'000, kMostDoubled = 1'600'000'000;
constexpr std::int64_t kPauseOfCost = 20, kLongestPause = 60'000'000'000;

}  // namespace

int Contention::next_members(int threads, Time now) {
  const int most = members(threads);
  if (most == threads) return most;
  const Count time = now.time_since_epoch().count();
  if (time - changed_ <= pause_) return most;
  most_ = most + 1;
  changed_ = time;
  return most + 1;
}

bool Contention::take(Duration lost, Duration elapsed, int members, Time now) {
  const Count held_up = std::max<Count>(held_up_ + lost.count() - elapsed.count() / kFairShare, 0);
  if (held_up <= kMostHeldUp || members <= 1) {
    held_up_ = held_up;
    return false;
  }
  const Count time = now.time_since_epoch().count(), pause = pause_;
  // Soon after a try it is that try which failed.
  const bool failed = time - changed_ < pause + held_up;
  const Count doubled = std::min(2 * pause, kMostDoubled), of_cost = kPauseOfCost * held_up;
  pause_ = failed ? std::min(std::max(doubled, of_cost), kLongestPause) : kFirstPause;
  most_ = members - 1;
  changed_ = time;
  held_up_ = 0;
  return true;
}

}  // namespace partita
