// Parallel regions on a thread pool: one region per step and one for its LM head. The members of a region are
// its caller and threads of the pool. Work is divided statically between two barriers, which spin and then
// sleep.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace partita::internal {

class Region;
class ThreadPool;
struct PoolThread;

/// The number of threads that this process can use: the smallest of the affinity mask, the CPU quota of the
/// container (cgroup v1 and v2, rounded up) and the online processors; at least 1. `root` is the directory
/// that contains /proc and /sys.
int usable_threads(const std::string& root = "");

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
  void wait() const {
    if (count > 1) wait_at_barrier();
  }

  /// The share [first, last) of this worker of n items, in multiples of `unit` if possible.
  std::pair<std::size_t, std::size_t> share(std::size_t n, std::size_t unit = 1) const {
    const std::size_t units = (n + unit - 1) / unit;
    const std::size_t first = units * static_cast<std::size_t>(index) / static_cast<std::size_t>(count);
    const std::size_t last = units * static_cast<std::size_t>(index + 1) / static_cast<std::size_t>(count);
    return {first * unit < n ? first * unit : n, last * unit < n ? last * unit : n};
  }

 private:
  void wait_at_barrier() const;
};

/// A caller and threads of the thread pool that enter parallel regions together. If other programs delay some
/// of the threads, the region continues with fewer members, and later regions try one more from time to time.
/// So a busy core costs only what it would compute, not the wait of all others. Only one thread at a time may
/// use a team; several teams may run at once.
class Team {
 public:
  /// A team of at most `threads`; fewer if the system refuses to create threads.
  Team(int threads);  // NOLINT(google-explicit-constructor)
  Team(std::shared_ptr<ThreadPool> pool, int threads);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  /// The maximum number of members of a region.
  int threads() const { return threads_; }
  /// The number of members of the next region, if enough threads of the pool are idle.
  int members() const;

  /// Runs f(worker) on all members and returns when all are done. If f throws on a member, the others leave
  /// at their next wait(), and run() throws the first exception.
  template <class F>
  void run(F&& f) {
    enter([](void* c, const Worker& w) { (*static_cast<std::remove_reference_t<F>*>(c))(w); }, &f);
  }

 private:
  void enter(void (*body)(void* context, const Worker& worker), void* context);

  std::shared_ptr<ThreadPool> pool_;  // null for a team of one
  int threads_ = 1;
  Region* region_ = nullptr;  // owned by the pool
};

/// Runs one region with a team of `threads`.
template <class F>
void parallel(int threads, F&& f) {
  Team(threads).run(f);
}

}  // namespace partita::internal
