// The threads of the process that help in parallel regions. Teams (parallel.h) are all that other files need.
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kernels/contention.h"
#include "engine/kernels/region.h"

namespace partita {

/// Threads that sleep until a region calls them. One pool serves all teams of the process, so that threads
/// which one team has just used are awake for the next.
class ThreadPool {
 public:
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

  /// The process's, which lives as long as somebody holds it.
  static std::shared_ptr<ThreadPool> shared();

  /// A pool by itself. `create` stands for pthread_create.
  explicit ThreadPool(Create create = pthread_create);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  /// Creates what a team of `threads` lacks beside its caller, as far as the system does. Returns how many
  /// members such a team then has.
  int grow(int threads);

  /// True in the child of a fork, which the threads did not come along to.
  bool forked() const;

  Region* take_region();
  void give_back(Region* region);

  /// Calls up to `threads` idle threads and leaves those that accept in region.members(). One that does not
  /// accept soon, as it gets no core, is not waited for.
  void call(Region& region, int threads, RegionBody body, void* context);

  Contention& contention() { return contention_; }
  /// usable_threads() when the pool was made.
  int cores() const { return cores_; }

 private:
  static constexpr int kMostThreads = 1023;

  bool add_thread();

  const Create create_;
  const std::uint32_t forks_;
  const int cores_;
  Contention contention_;
  std::atomic<int> size_{0};
  std::array<std::unique_ptr<PoolThread>, kMostThreads> threads_;
  std::vector<std::unique_ptr<Region>> regions_;
  std::vector<Region*> free_regions_;
};

}  // namespace partita
