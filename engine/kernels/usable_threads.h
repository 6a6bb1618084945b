// How many threads the system grants to this process.
#pragma once

#include <string>

namespace partita::internal {

/// The number of threads that this process can use: the smallest of the affinity mask, the CPU quota of the
/// container (cgroup v1 and v2, rounded up) and the online processors; at least 1. `root` is the directory
/// that contains /proc and /sys.
int usable_threads(const std::string& root = "");

}  // namespace partita::internal
