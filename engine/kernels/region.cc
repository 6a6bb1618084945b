#include "engine/kernels/region.h"

#include <algorithm>
#include <utility>

#include "engine/kernels/spin.h"

namespace partita::internal {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

// Longer than the imbalance of any phase if cores are free.
constexpr nanoseconds kSpin = microseconds(100);

constexpr int kTimeBits = 48;  // of waiting_since_; above them are the low bits of the generation

std::uint64_t stamp(std::uint32_t generation, Contention::Time time) {
  const auto us = std::chrono::duration_cast<microseconds>(time.time_since_epoch()).count();
  return std::uint64_t{generation} << kTimeBits |
         (static_cast<std::uint64_t>(us) & ((std::uint64_t{1} << kTimeBits) - 1));
}

bool same_generation(std::uint64_t a, std::uint64_t b) { return a >> kTimeBits == b >> kTimeBits; }

}  // namespace

void PoolThread::set_idle() {
  if (state.exchange(kIdle) == kQuit) state.store(kQuit);
}

void Region::start(Contention::Time now, bool spins) {
  count_ = static_cast<int>(members_.size()) + 1;
  dropped_ = 0;
  abandoned_ = false;
  spins_.store(spins, std::memory_order_relaxed);
  accounted_ = now;
  failure_ = nullptr;
  failing_.store(false, std::memory_order_relaxed);
  arrived_.store(0, std::memory_order_relaxed);
  int index = 0;
  for (PoolThread* thread : members_) {
    thread->index = ++index;
    thread->count = count_;
  }
  release(generation());
}

void Region::finish(const Worker& caller) {
  if (!abandoned_) arrive(caller);
  const Contention::Time now = Contention::now();
  contention_.record({}, now - accounted_, count_, now);
}

void Region::leave(const Worker& worker) {
  const std::uint32_t generation = this->generation();
  members_[static_cast<std::size_t>(worker.index) - 1] = nullptr;
  // Idle first: the caller may start the next region at once. Its new call is not read here.
  worker.thread->set_idle();
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == worker.count) complete_barrier(generation, 0);
}

void Region::wait(const Worker& worker) {
  arrive(worker);
  const bool leaves =
      worker.thread == nullptr ? abandoned_ : worker.thread->dropped.load(std::memory_order_relaxed);
  if (leaves) throw LeftRegion{};
  if (worker.count == count_) return;
  worker.count = count_;
  if (dropped_ < worker.index) --worker.index;
}

void Region::fail(std::exception_ptr exception) {
  if (!failing_.exchange(true)) failure_ = std::move(exception);
}

void Region::arrive(const Worker& worker) {
  const std::uint32_t generation = this->generation();
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == worker.count) {
    complete_barrier(generation, worker.index);
  } else {
    wait_past(generation);
  }
}

/// Run by the last member to arrive, which has delayed all others. `last`: its index if it can be dropped.
void Region::complete_barrier(std::uint32_t generation, int last) {
  arrived_.store(0, std::memory_order_relaxed);
  if (failing_.load(std::memory_order_relaxed)) {
    abandoned_ = true;
    for (PoolThread* thread : members_) {
      if (thread != nullptr) thread->dropped.store(true, std::memory_order_relaxed);
    }
  } else if (count_ > 1 && contention_.drops_now()) {
    drop(last > 0 ? last : count_ - 1);
  } else if (asleep_.load(std::memory_order_relaxed) > 0) {
    account(generation, last);
  }
  release(generation);
}

/// Records how long members have slept while they waited for the last one, and drops a member if the delay is
/// too long.
void Region::account(std::uint32_t generation, int last) {
  const Contention::Time now = Contention::now();
  const std::uint64_t since = waiting_since_.load(std::memory_order_relaxed), until = stamp(generation, now);
  nanoseconds lost{0};
  if (same_generation(since, until) && count_ > 1) {
    const int waited = std::min(asleep_.load(std::memory_order_relaxed), count_ - 1);
    lost = microseconds(until - since) * waited / (count_ - 1);
  }
  const bool too_slow = contention_.record(lost, now - accounted_, count_, now);
  accounted_ = now;
  if (too_slow) drop(last > 0 ? last : count_ - 1);
}

/// Drops the late member, or the last member if the late one is the caller. A member that has left already is
/// not dropped.
void Region::drop(int index) {
  PoolThread* const thread = members_[static_cast<std::size_t>(index) - 1];
  if (thread == nullptr) return;
  thread->dropped.store(true, std::memory_order_relaxed);
  members_.erase(members_.begin() + index - 1);
  dropped_ = index;
  --count_;
}

void Region::release(std::uint32_t generation) {
  generation_.store(generation + 1);
  if (asleep_.load() > 0) wake_all(generation_);
}

/// Waits until the generation changes: spins for a while, unless there are more members than cores, then
/// sleeps.
void Region::wait_past(std::uint32_t generation) {
  Contention::Time since{};
  const auto passed = [&] { return generation_.load(std::memory_order_acquire) != generation; };
  const nanoseconds most = spins_.load(std::memory_order_relaxed) ? kSpin : nanoseconds(0);
  if (spin(most, passed, [&](Contention::Time now) { since = now; })) return;
  asleep_.fetch_add(1);
  const std::uint64_t mine = stamp(generation, since);
  std::uint64_t first = waiting_since_.load(std::memory_order_relaxed);
  if (!same_generation(first, mine)) waiting_since_.compare_exchange_strong(first, mine);
  while (!passed()) sleep_while(generation_, generation);
  asleep_.fetch_sub(1);
}

}  // namespace partita::internal
