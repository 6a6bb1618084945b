// Threads: a parallel region a step and one for its head, static ownership, a barrier that spins and sleeps.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace partita {

/// How many threads this process may really use: the smallest of the affinity mask, the container's CPU quota
/// (cgroup v1 and v2, rounded up) and the online processors; at least 1. `root` is where /proc and /sys
/// stand.
int usable_threads(const std::string& root = "");

/// A barrier for a team. Spins for a bounded time (not at all when the team is larger than the machine
/// grants), then sleeps in the kernel.
class Barrier {
 public:
  using Duration = std::chrono::steady_clock::duration;

  /// Only teams of up to `most_spinning` spin.
  explicit Barrier(int most_spinning) : most_spinning_(most_spinning) {}
  /// Returns when `members` threads have called it.
  void wait(int members);
  /// How long threads have slept in wait() since the last call, summed over threads. Called by one thread
  /// between regions.
  Duration take_slept() { return Duration(slept_.exchange(0, std::memory_order_relaxed)); }

 private:
  const int most_spinning_;
  std::atomic<std::int32_t> arrived_{0};
  std::atomic<std::int32_t> generation_{0};
  std::atomic<Duration::rep> slept_{0};
};

/// One member of the team inside a parallel region.
struct Worker {
  int index = 0;
  int count = 1;
  Barrier* barrier = nullptr;

  void wait() const {
    if (count > 1) barrier->wait(count);
  }

  /// This worker's share [first, last) of n items, in multiples of `unit` where possible.
  std::pair<std::size_t, std::size_t> share(std::size_t n, std::size_t unit = 1) const {
    const std::size_t units = (n + unit - 1) / unit;
    const std::size_t first = units * static_cast<std::size_t>(index) / static_cast<std::size_t>(count);
    const std::size_t last = units * static_cast<std::size_t>(index + 1) / static_cast<std::size_t>(count);
    return {first * unit < n ? first * unit : n, last * unit < n ? last * unit : n};
  }
};

/// Threads that enter parallel regions together. Where other programs hold some of them up, and the rest
/// sleep at barriers, the team goes on with fewer, and tries with one more from time to time: so a busy core
/// costs what it would compute, not what everyone waits for it.
class Team {
 public:
  explicit Team(int threads);

  /// The most members that a region can have.
  int threads() const { return threads_; }
  /// How many the next region will have.
  int members() const { return members_; }

  /// Runs f(worker) on the members (fewer where OpenMP grants fewer: go by worker.count) and returns when all
  /// are done. f must not throw.
  template <class F>
  void run(F&& f) {
    enter([](void* c, const Worker& w) { (*static_cast<std::remove_reference_t<F>*>(c))(w); }, &f);
  }

 private:
  using Clock = std::chrono::steady_clock;

  void enter(void (*body)(void* context, const Worker& worker), void* context);
  void adapt(Clock::time_point start, Clock::time_point end);

  const int threads_;
  int members_;
  Barrier barrier_;
  Clock::duration held_up_{};  // what sleeping at barriers has cost lately
  Clock::duration pause_;      // until it tries with one more
  Clock::time_point changed_;  // when members_ did
};

/// One region of a team of `threads`.
template <class F>
void parallel(int threads, F&& f) {
  Team(threads).run(f);
}

}  // namespace partita
