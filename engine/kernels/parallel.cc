#include "engine/kernels/parallel.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace partita {
namespace {

// The system's OpenMP is not built for ThreadSanitizer, which therefore does not see that a region begins
// after what came before it and ends before what comes after. These two tell it: what one thread did before
// it publishes, another sees once it observes the same address.
void publish([[maybe_unused]] void* address) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(address);
#endif
}
void observe([[maybe_unused]] void* address) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(address);
#endif
}

// About a tenth of a millisecond: longer than any phase's imbalance when cores are free.
constexpr int kSpins = 20000;

// A team gets smaller when its members have slept this long at barriers, on average, and more than a quarter
// of the time. A thread that loses its core for one slice of the scheduler (3 or 4 ms) does not make it so.
constexpr std::chrono::milliseconds kMostHeldUp(6);
constexpr int kFairShare = 4;

// How long before it tries with one more: twice as long after every try that failed.
constexpr std::chrono::milliseconds kFirstPause(50), kLongestPause(1600);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// The path of this process's group in the unified hierarchy ("0::/path") or of a version 1 controller.
std::string cgroup_path(const std::string& root, const std::string& controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t a = line.find(':');
    const std::size_t b = a == std::string::npos ? a : line.find(':', a + 1);
    if (b == std::string::npos) continue;
    const std::string controllers = line.substr(a + 1, b - a - 1);
    const bool match = controller.empty()
                           ? controllers.empty()
                           : ("," + controllers + ",").find("," + controller + ",") != std::string::npos;
    if (match) return line.substr(b + 1);
  }
  return "/";
}

/// CPUs that quota and period (microseconds) grant; infinity when there is no quota.
double granted(double quota, double period) { return quota > 0 && period > 0 ? quota / period : INFINITY; }

double quota_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max") return INFINITY;
  return granted(std::strtod(quota.c_str(), nullptr), period);
}

double quota_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  return quota_file >> quota && period_file >> period ? granted(quota, period) : INFINITY;
}

/// The tightest quota between this process's group and the root of the hierarchy.
template <class Quota>
double tightest(const std::string& root, std::string path, Quota quota) {
  double least = quota(root);
  while (path.size() > 1) {
    least = std::min(least, quota(root + path));
    const std::size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
  return least;
}

/// usable_threads() when it was first asked for: it reads files, and teams are made for single regions.
int usable() {
  static const int threads = usable_threads();
  return threads;
}

}  // namespace

int usable_threads(const std::string& root) {
  const std::string groups = root + "/sys/fs/cgroup";
  const double quota = std::min(tightest(groups, cgroup_path(root, ""), quota_v2),
                                tightest(groups + "/cpu", cgroup_path(root, "cpu"), quota_v1));
  // OpenMP counts the affinity mask, and still knows it where it has bound the calling thread to one place.
  int threads = omp_get_num_procs();
  if (std::isfinite(quota)) threads = std::min(threads, static_cast<int>(std::ceil(quota)));
  return std::max(threads, 1);
}

void Barrier::wait(int members) {
  const std::int32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_acq_rel);
    generation_.notify_all();
    return;
  }
  for (int i = 0; members <= most_spinning_ && i < kSpins; ++i) {
    if (generation_.load(std::memory_order_acquire) != generation) return;
    relax();
  }
  const auto start = std::chrono::steady_clock::now();
  generation_.wait(generation, std::memory_order_acquire);
  slept_.fetch_add((std::chrono::steady_clock::now() - start).count(), std::memory_order_relaxed);
}

Team::Team(int threads)
    : threads_(std::max(threads, 1)), members_(threads_), barrier_(usable()), pause_(kFirstPause) {}

void Team::enter(void (*body)(void* context, const Worker& worker), void* context) {
  if (threads_ == 1) {
    body(context, Worker{});
    return;
  }
  const Clock::time_point start = Clock::now();
  if (members_ == 1) {
    body(context, Worker{});
  } else {
    publish(this);
#pragma omp parallel num_threads(members_)
    {
      observe(this);
      const Worker worker{omp_get_thread_num(), omp_get_num_threads(), &barrier_};
      worker.wait();
      body(context, worker);
      worker.wait();
      publish(this);
    }
    observe(this);
  }
  adapt(start, Clock::now());
}

void Team::adapt(Clock::time_point start, Clock::time_point end) {
  if (members_ > 1) {
    held_up_ += barrier_.take_slept() / (members_ - 1) - (end - start) / kFairShare;
    held_up_ = std::max(held_up_, Clock::duration::zero());
  }
  if (held_up_ > kMostHeldUp) {
    // Soon after a try it is that try which failed.
    pause_ = end - changed_ < pause_ ? std::min<Clock::duration>(2 * pause_, kLongestPause) : kFirstPause;
    --members_;
    changed_ = end;
    held_up_ = Clock::duration::zero();
  } else if (members_ < threads_ && end - changed_ > pause_) {
    ++members_;
    changed_ = end;
  }
}

}  // namespace partita
