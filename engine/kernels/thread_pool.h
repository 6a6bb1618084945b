// The thread pool: the threads of the process that run parallel regions. Other files use only Team
// (parallel.h).
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kernels/contention.h"
#include "engine/kernels/region.h"

namespace partita::internal {

/// Threads that sleep until a region calls them. One pool serves all teams of the process, so that threads
/// that one team has just used are awake for the next.
class ThreadPool {
 public:
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

  /// The pool of the process, alive as long as it is referenced.
  static std::shared_ptr<ThreadPool> shared();

  /// A separate pool. `create` replaces pthread_create in tests.
  explicit ThreadPool(Create create = pthread_create);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  /// Creates the threads that a team of `threads` lacks besides its caller, as far as the system permits.
  /// Returns the resulting number of members of the team.
  int grow(int threads);

  /// True in the child of a fork, which has none of the threads.
  bool forked() const;

  Region* acquire_region();
  void release_region(Region* region);

  /// Calls up to `threads` idle threads and stores those that accept in region.members(). It does not wait
  /// for a thread that does not accept soon, because it gets no core.
  void call(Region& region, int threads, RegionBody body, void* context);

  Contention& contention() { return contention_; }
  /// usable_threads() when the pool was made.
  int cores() const { return cores_; }

 private:
  static constexpr int kMaxThreads = 1023;

  bool add_thread();

  const Create create_;
  const std::uint32_t forks_;
  const int cores_;
  Contention contention_;
  std::atomic<int> size_{0};
  std::array<std::unique_ptr<PoolThread>, kMaxThreads> threads_;
  std::vector<std::unique_ptr<Region>> regions_;
  std::vector<Region*> free_regions_;
};

}  // namespace partita::internal
