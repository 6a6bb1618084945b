// A parallel region: the barrier that its members meet at, which drops one of them where they hold each other
// up.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <vector>

#include "engine/kernels/contention.h"
#include "engine/kernels/parallel.h"

namespace partita {

using RegionBody = void (*)(void* context, const Worker& worker);

/// A thread of the pool, on a cache line of its own.
struct alignas(64) PoolThread {
  enum State : std::uint32_t {
    kIdle,    // spins for a while, then sleeps
    kTaken,   // by a caller, which writes what it calls it for
    kCalled,  // may accept; the caller may withdraw
    kBusy,    // has accepted
    kQuit
  };
  std::atomic<std::uint32_t> state{kIdle};
  std::atomic<std::uint32_t> asleep{0};
  std::atomic<bool> dropped{false};  // from the region, which it has yet to leave

  // Written by the caller: before kCalled, and index and count before the region starts.
  Region* region = nullptr;
  RegionBody body = nullptr;
  void* context = nullptr;
  std::uint32_t generation = 0;  // of the region before it starts
  int index = 0, count = 0;      // as in Worker

  pthread_t handle{};

  /// From kBusy, unless it is to quit.
  void set_idle();
};

/// What a member that leaves at a wait() throws there.
struct LeftRegion {};

/// Used for one region after the other. It lives as long as the pool: a member that was dropped may be late
/// to notice.
class Region {
 public:
  explicit Region(Contention& contention) : contention_(contention) {}
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  /// The threads of the pool that the next region begins with, for ThreadPool::call() to fill.
  std::vector<PoolThread*>& members() { return members_; }

  // By the thread that runs the region: before the body, and after it, when it waits for all others.
  // `spins`: there is a core for every member.
  void start(Contention::Time now, bool spins);
  void finish(const Worker& caller);

  // By a thread of the pool: before the body, and after it; it does not wait for others, and is idle again.
  void wait_for_start(std::uint32_t generation) { wait_past(generation); }
  void leave(const Worker& worker);

  /// By a member within the body. Throws LeftRegion where it was dropped or another member has failed.
  void wait(const Worker& worker);

  /// By a member whose body threw, before it leaves or finishes. The first exception is kept.
  void fail(std::exception_ptr exception);
  std::exception_ptr failure() const { return failure_; }

  std::uint32_t generation() const { return generation_.load(std::memory_order_relaxed); }

 private:
  void arrive(const Worker& worker);
  void wait_past(std::uint32_t generation);
  void pass_last(std::uint32_t generation, int last);
  void account(std::uint32_t generation, int last);
  void drop(int index);
  void release(std::uint32_t generation);

  Contention& contention_;
  std::vector<PoolThread*> members_;  // by index - 1; null: has left
  int count_ = 1;                     // members, the caller included
  int dropped_ = 0;                   // the index of the one that was dropped last
  bool abandoned_ = false;            // all leave, as one has failed
  Contention::Time accounted_{};      // up to when contention_ knows how it went
  std::exception_ptr failure_;
  std::atomic<bool> failing_{false};
  std::atomic<bool> spins_{true};

  alignas(64) std::atomic<int> arrived_{0};
  std::atomic<int> asleep_{0};                   // members that wait, and those late to notice
  std::atomic<std::uint64_t> waiting_since_{0};  // the first of them: generation and microseconds
  alignas(64) std::atomic<std::uint32_t> generation_{0};
};

}  // namespace partita
