#include "engine/kernels/parallel.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

namespace partita {
namespace {

constexpr int kSpins =
    20000;  // about a tenth of a millisecond: longer than any phase's imbalance when cores are free

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int affinity_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0)
    return static_cast<int>(std::thread::hardware_concurrency());
  return CPU_COUNT(&set);
}

/// The path of this process's group in the unified hierarchy ("0::/path") or of a version 1 controller.
std::string cgroup_path(const std::string& controller) {
  std::ifstream file("/proc/self/cgroup");
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

}  // namespace

int usable_threads() {
  const double quota = std::min(tightest("/sys/fs/cgroup", cgroup_path(""), quota_v2),
                                tightest("/sys/fs/cgroup/cpu", cgroup_path("cpu"), quota_v1));
  int threads = affinity_threads();
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
  for (int i = 0; may_spin_ && i < kSpins; ++i) {
    if (generation_.load(std::memory_order_acquire) != generation) return;
    relax();
  }
  generation_.wait(generation, std::memory_order_acquire);
}

void run_team(int threads, void (*body)(void* context, const Worker& worker), void* context) {
  if (threads <= 1) {
    body(context, Worker{});
    return;
  }
  static const int cores = usable_threads();
  Barrier barrier(threads <= cores);
  // The barrier at both ends also orders memory in a way that ThreadSanitizer sees; OpenMP's own it does not.
#pragma omp parallel num_threads(threads)
  {
    const Worker worker{omp_get_thread_num(), omp_get_num_threads(), &barrier};
    worker.wait();
    body(context, worker);
    worker.wait();
  }
}

}  // namespace partita
