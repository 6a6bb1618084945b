#include "engine/kernels/usable_threads.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "engine/kernels/cgroup.h"

namespace partita::internal {
namespace {

/// CPUs that the calling thread may run on.
int allowed_cpus() {
  constexpr int kMaxCpus = 1 << 16;
  int allowed = 0;
  for (int cpus = CPU_SETSIZE; allowed == 0 && cpus <= kMaxCpus;
       cpus *= 2) {  // the kernel's set may be larger
    cpu_set_t* const set = CPU_ALLOC(static_cast<std::size_t>(cpus));
    if (set == nullptr) break;
    const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    if (sched_getaffinity(0, size, set) == 0) allowed = CPU_COUNT_S(size, set);
    CPU_FREE(set);
  }
  return allowed > 0 ? allowed : static_cast<int>(std::thread::hardware_concurrency());
}

/// The CPUs that quota and period (microseconds) allow; infinity if there is no quota.
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

}  // namespace

int usable_threads(const std::string& root) {
  const std::string groups = root + "/sys/fs/cgroup";
  const double quota = std::min(tightest(groups, cgroup_path(root, ""), quota_v2),
                                tightest(groups + "/cpu", cgroup_path(root, "cpu"), quota_v1));
  int threads = allowed_cpus();
  if (std::isfinite(quota)) threads = std::min(threads, static_cast<int>(std::ceil(quota)));
  return std::max(threads, 1);
}

}  // namespace partita::internal
