// Threads: teams enter parallel regions, one a step and one for its head. Ownership of work is static between
// two barriers, which spin and then sleep.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace partita {

class Region;
class ThreadPool;
struct PoolThread;

/// How many threads this process may really use: the smallest of the affinity mask, the container's CPU quota
/// (cgroup v1 and v2, rounded up) and the online processors; at least 1. `root` is where /proc and /sys
/// stand.
int usable_threads(const std::string& root = "");

/// One member of the team inside a parallel region. wait() may change index and count, where a member that
/// holds up the others is dropped: a share is valid until the next wait().
struct Worker {
  mutable int index = 0;  // 0: the thread that called Team::run(), which is never dropped
  mutable int count = 1;
  Region* region = nullptr;
  PoolThread* thread = nullptr;  // null: the caller of Team::run()

  /// Returns when all members have called it. A member that is dropped leaves the region here, by an
  /// exception, possibly after Team::run() has returned: destructors of what it holds then must not touch
  /// what others own.
  void wait() const {
    if (count > 1) meet();
  }

  /// This worker's share [first, last) of n items, in multiples of `unit` where possible.
  std::pair<std::size_t, std::size_t> share(std::size_t n, std::size_t unit = 1) const {
    const std::size_t units = (n + unit - 1) / unit;
    const std::size_t first = units * static_cast<std::size_t>(index) / static_cast<std::size_t>(count);
    const std::size_t last = units * static_cast<std::size_t>(index + 1) / static_cast<std::size_t>(count);
    return {first * unit < n ? first * unit : n, last * unit < n ? last * unit : n};
  }

 private:
  void meet() const;
};

/// A caller and threads of the process's pool that enter parallel regions together. Where other programs hold
/// some of them up, the region goes on with fewer, and later regions try with one more from time to time: so
/// a busy core costs what it would compute, not what everyone waits for it. One thread at a time may use a
/// team; several teams may run at once.
class Team {
 public:
  /// A team of at most `threads`, fewer where the system creates no more.
  Team(int threads);  // NOLINT(google-explicit-constructor)
  Team(std::shared_ptr<ThreadPool> pool, int threads);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  /// The most members that a region can have.
  int threads() const { return threads_; }
  /// How many the next region will have, if as many threads of the pool are idle.
  int members() const;

  /// Runs f(worker) on the members and returns when all are done. Where f throws on one of them, the others
  /// leave at their next wait(), and the first exception is thrown here.
  template <class F>
  void run(F&& f) {
    enter([](void* c, const Worker& w) { (*static_cast<std::remove_reference_t<F>*>(c))(w); }, &f);
  }

 private:
  void enter(void (*body)(void* context, const Worker& worker), void* context);

  std::shared_ptr<ThreadPool> pool_;  // null for a team of one
  int threads_ = 1;
  Region* region_ = nullptr;  // the pool's
};

/// One region of a team of `threads`.
template <class F>
void parallel(int threads, F&& f) {
  Team(threads).run(f);
}

}  // namespace partita
