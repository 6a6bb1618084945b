// Parallel regions on a thread pool: one region per step and one for its LM head. The members of a region are
// its caller and threads of the pool. Work is divided statically between two barriers, which spin and then
// sleep.
#pragma once

#include <memory>
#include <type_traits>

#include "engine/kernels/region.h"

namespace partita::internal {

class ThreadPool;

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
