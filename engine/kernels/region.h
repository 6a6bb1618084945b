// A parallel region: its members and their barrier. The barrier drops a member that delays the others.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

#include "engine/kernels/contention.h"

namespace partita::internal {

class Region;
struct PoolThread;

/// One member of a parallel region: a thread of the pool, or the caller. wait() may change index and count,
/// because a member that delays the others is dropped: a share is valid until the next wait().
struct Worker {
  mutable int index = 0;  // 0: the caller of Team::run(), which is never dropped
  mutable int count = 1;
  Region* region = nullptr;
  PoolThread* thread = nullptr;  // null: the caller of Team::run()

  /// The barrier: returns when all members have called it. A dropped member leaves the region here, by an
  /// exception, possibly after Team::run() has returned: the destructors of its objects then must not touch
  /// what others own.
  void wait() const;

  /// The share [first, last) of this worker of n items, in multiples of `unit` if possible.
  std::pair<std::size_t, std::size_t> share(std::size_t n, std::size_t unit = 1) const {
    const std::size_t units = (n + unit - 1) / unit;
    const std::size_t first = units * static_cast<std::size_t>(index) / static_cast<std::size_t>(count);
    const std::size_t last = units * static_cast<std::size_t>(index + 1) / static_cast<std::size_t>(count);
    return {first * unit < n ? first * unit : n, last * unit < n ? last * unit : n};
  }
};

using RegionBody = void (*)(void* context, const Worker& worker);

/// A thread of the pool, on a cache line of its own.
struct alignas(64) PoolThread {
  enum State : std::uint32_t {
    kIdle,    // spins for a while, then sleeps
    kTaken,   // reserved by a caller, which fills in the call
    kCalled,  // the thread may accept, the caller may withdraw
    kBusy,    // the thread has accepted
    kQuit
  };
  std::atomic<std::uint32_t> state{kIdle};
  std::atomic<std::uint32_t> asleep{0};
  std::atomic<bool> dropped{false};  // from the region; the thread has not left it yet

  // Written by the caller: before kCalled; index and count before the region starts.
  Region* region = nullptr;
  RegionBody body = nullptr;
  void* context = nullptr;
  std::uint32_t generation = 0;  // of the region before it starts
  int index = 0, count = 0;      // as in Worker

  pthread_t handle{};

  /// Changes kBusy to kIdle; keeps kQuit.
  void set_idle();
};

/// The exception by which a member leaves the region in wait().
struct LeftRegion {};

/// A region object is reused. It lives as long as the pool, because a dropped member may notice late.
class Region {
 public:
  explicit Region(Contention& contention) : contention_(contention) {}
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  /// The threads of the pool that start the next region; ThreadPool::call() fills it.
  std::vector<PoolThread*>& members() { return members_; }

  // Called by the thread that runs the region: start() before the body, finish() after it, which waits for
  // all others. `spins`: there is a core for every member.
  void start(Contention::Time now, bool spins);
  void finish(const Worker& caller);

  // Called by a thread of the pool: wait_for_start() before the body, leave() after it; leave() does not wait
  // for others and makes the thread idle.
  void wait_for_start(std::uint32_t generation) { wait_past(generation); }
  void leave(const Worker& worker);

  /// Called by a member within the body. Throws LeftRegion if it was dropped or another member has failed.
  void wait(const Worker& worker);

  /// Called by a member whose body threw, before it leaves or finishes. The first exception is kept.
  void fail(std::exception_ptr exception);
  std::exception_ptr failure() const { return failure_; }

  std::uint32_t generation() const { return generation_.load(std::memory_order_relaxed); }

 private:
  void arrive(const Worker& worker);
  void wait_past(std::uint32_t generation);
  void complete_barrier(std::uint32_t generation, int last);
  void account(std::uint32_t generation, int last);
  void drop(int index);
  void release(std::uint32_t generation);

  Contention& contention_;
  std::vector<PoolThread*> members_;  // by index - 1; null: has left
  int count_ = 1;                     // members, including the caller
  int dropped_ = 0;                   // the index of the last dropped member
  bool abandoned_ = false;            // a member has failed, all leave
  Contention::Time accounted_{};      // the time up to which contention_ has records
  std::exception_ptr failure_;
  std::atomic<bool> failing_{false};
  std::atomic<bool> spins_{true};

  alignas(64) std::atomic<int> arrived_{0};
  std::atomic<int> asleep_{0};                   // waiting members, including those that notice late
  std::atomic<std::uint64_t> waiting_since_{0};  // of the first of them: generation and microseconds
  alignas(64) std::atomic<std::uint32_t> generation_{0};
};

inline void Worker::wait() const {
  if (count > 1) region->wait(*this);
}

}  // namespace partita::internal
