#include "engine/kernels/thread_pool.h"

#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <new>

#include "engine/kernels/spin.h"
#include "engine/kernels/usable_threads.h"

namespace partita::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// How long a thread spins for the next region. The time between the step of an engine and its LM head, and
// between two steps, is mostly shorter.
constexpr nanoseconds kIdleSpin = milliseconds(1);

// How long a caller waits for threads to accept. A wakeup takes a twentieth of it if a core is free.
constexpr nanoseconds kAcceptSpin = milliseconds(1);

// Our own frames need a tenth of it; oneDNN and sanitizers need more.
constexpr std::size_t kStackBytes = std::size_t{2} << 20;

/// State shared by all pools.
struct Process {
  std::mutex mutex;  // protects `pool` and the contents of pools
  std::weak_ptr<ThreadPool> pool;
  std::atomic<std::uint32_t> forks{0};
};

/// Never destroyed: threads may outlive static objects.
Process& process() {
  static Process* const made = [] {
    auto* const p = new Process;
    // A child of a fork must not inherit the mutex locked by a thread that does not exist there.
    pthread_atfork([] { process().mutex.lock(); }, [] { process().mutex.unlock(); },
                   [] {
                     process().mutex.unlock();
                     ++process().forks;
                   });
    return p;
  }();
  return *made;
}

/// Blocks signals, so that they go to the threads of the program; except faults and the signals of profilers.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
    sigdelset(&all, fault);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// Waits until it accepts a call. Returns false if the thread must quit.
bool accept_call(PoolThread& self) {
  for (;;) {
    const auto called = [&] { return self.state.load(std::memory_order_relaxed) != PoolThread::kIdle; };
    if (!spin(kIdleSpin, called, [](auto) {})) {
      self.asleep.store(1);
      while (self.state.load() == PoolThread::kIdle) sleep_while(self.state, PoolThread::kIdle);
      self.asleep.store(0);
    }
    std::uint32_t state = PoolThread::kCalled;
    if (self.state.compare_exchange_strong(state, PoolThread::kBusy)) return true;
    if (state == PoolThread::kQuit) return false;
    relax();  // kTaken: a call follows shortly
  }
}

void run_region(PoolThread& self) {
  Region& region = *self.region;
  const RegionBody body = self.body;
  self.dropped.store(false, std::memory_order_relaxed);
  region.wait_for_start(self.generation);
  const Worker worker{self.index, self.count, &region, &self};
  try {
    body(self.context, worker);
  } catch (const LeftRegion&) {
    self.set_idle();
    return;
  } catch (...) {
    region.fail(std::current_exception());
  }
  region.leave(worker);
}

void* work(void* thread) {
  PoolThread& self = *static_cast<PoolThread*>(thread);
  block_signals();
  while (accept_call(self)) run_region(self);
  return nullptr;
}

/// Returns whether the thread has accepted the call; otherwise withdraws it.
bool has_accepted(PoolThread& thread) {
  std::uint32_t state = PoolThread::kCalled;
  return !thread.state.compare_exchange_strong(state, PoolThread::kIdle);
}

}  // namespace

ThreadPool::ThreadPool(Create create)
    : create_(create), forks_(process().forks.load()), cores_(usable_threads()) {}

ThreadPool::~ThreadPool() {
  if (forked()) return;
  const int size = size_.load();
  for (int i = 0; i < size; ++i) {
    PoolThread& thread = *threads_[static_cast<std::size_t>(i)];
    thread.state.exchange(PoolThread::kQuit);
    wake_all(thread.state);
  }
  for (int i = 0; i < size; ++i) pthread_join(threads_[static_cast<std::size_t>(i)]->handle, nullptr);
}

std::shared_ptr<ThreadPool> ThreadPool::shared() {
  Process& all = process();
  const std::lock_guard lock(all.mutex);
  std::shared_ptr<ThreadPool> pool = all.pool.lock();
  if (pool == nullptr || pool->forked()) {
    pool = std::make_shared<ThreadPool>();
    all.pool = pool;
  }
  return pool;
}

bool ThreadPool::forked() const { return process().forks.load(std::memory_order_relaxed) != forks_; }

int ThreadPool::grow(int threads) {
  const std::lock_guard lock(process().mutex);
  if (forked()) return 1;
  while (size_ + 1 < threads && size_ < kMaxThreads && add_thread()) {
  }
  return std::clamp(threads, 1, size_ + 1);
}

bool ThreadPool::add_thread() {
  auto thread = std::make_unique<PoolThread>();
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setstacksize(&attributes, kStackBytes);
  const int failed = create_(&thread->handle, &attributes, work, thread.get());
  pthread_attr_destroy(&attributes);
  if (failed != 0) return false;
  threads_[static_cast<std::size_t>(size_.load())] = std::move(thread);
  ++size_;
  return true;
}

Region* ThreadPool::acquire_region() {
  const std::lock_guard lock(process().mutex);
  if (free_regions_.empty()) {
    auto region = std::make_unique<Region>(contention_);
    region->members().reserve(kMaxThreads);
    free_regions_.reserve(regions_.size() + 1);  // so that release_region() does not allocate
    regions_.push_back(std::move(region));
    return regions_.back().get();
  }
  Region* const region = free_regions_.back();
  free_regions_.pop_back();
  return region;
}

void ThreadPool::release_region(Region* region) {
  const std::lock_guard lock(process().mutex);
  free_regions_.push_back(region);
}

void ThreadPool::call(Region& region, int threads, RegionBody body, void* context) {
  std::vector<PoolThread*>& members = region.members();
  members.clear();
  const int size = size_.load(std::memory_order_acquire);
  for (int i = 0; i < size && static_cast<int>(members.size()) < threads; ++i) {
    PoolThread& thread = *threads_[static_cast<std::size_t>(i)];
    std::uint32_t state = PoolThread::kIdle;
    if (!thread.state.compare_exchange_strong(state, PoolThread::kTaken)) continue;  // busy elsewhere
    thread.region = &region;
    thread.body = body;
    thread.context = context;
    thread.generation = region.generation();
    thread.state.store(PoolThread::kCalled);
    if (thread.asleep.load() != 0) wake_all(thread.state);
    members.push_back(&thread);
  }
  const bool cores = threads < cores_;
  const auto all_accepted = [&] {
    if (!cores) sched_yield();
    return std::all_of(members.begin(), members.end(), [](const PoolThread* thread) {
      return thread->state.load(std::memory_order_acquire) == PoolThread::kBusy;
    });
  };
  if (spin(kAcceptSpin, all_accepted, [](auto) {})) return;
  const auto called = static_cast<int>(members.size());
  std::erase_if(members, [](PoolThread* thread) { return !has_accepted(*thread); });
  const int missing = called - static_cast<int>(members.size());
  contention_.record(kAcceptSpin * missing / called, {}, called + 1, Contention::now());
}

}  // namespace partita::internal
