#include "engine/kernels/usable_threads.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

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

/// The cgroup path of this process in the unified hierarchy ("0::/path") or for a version 1 controller.
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

/// The smallest quota between this process's cgroup and the root of the hierarchy.
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

int usable_threads(const std::string& root) {
  const std::string groups = root + "/sys/fs/cgroup";
  const double quota = std::min(tightest(groups, cgroup_path(root, ""), quota_v2),
                                tightest(groups + "/cpu", cgroup_path(root, "cpu"), quota_v1));
  int threads = allowed_cpus();
  if (std::isfinite(quota)) threads = std::min(threads, static_cast<int>(std::ceil(quota)));
  return std::max(threads, 1);
}

}  // namespace partita::internal
