// Threads: a parallel region a step and one for its head, static ownership, a barrier that spins and sleeps.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace partita {

/// How many threads this process may really use: the smallest of the affinity mask, the container's CPU quota
/// (cgroup v1 and v2, rounded up) and the online processors; at least 1.
int usable_threads();

/// A barrier for a team. Spins for a bounded time (not at all when the team is larger than the machine
/// grants), then sleeps in the kernel.
class Barrier {
 public:
  explicit Barrier(bool may_spin) : may_spin_(may_spin) {}
  /// Returns when `members` threads have called it.
  void wait(int members);

 private:
  const bool may_spin_;
  std::atomic<std::int32_t> arrived_{0};
  std::atomic<std::int32_t> generation_{0};
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

/// Runs body(worker) on `threads` threads (fewer where OpenMP grants fewer: go by worker.count) and returns
/// when all are done. The body must not throw. `context` is passed through.
void run_team(int threads, void (*body)(void* context, const Worker& worker), void* context);

/// The same for any callable: parallel(n, [&](const Worker& w) { ... }).
template <class F>
void parallel(int threads, F&& f) {
  run_team(
      threads, [](void* c, const Worker& w) { (*static_cast<std::remove_reference_t<F>*>(c))(w); }, &f);
}

}  // namespace partita
