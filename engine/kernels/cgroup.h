// Limits of the container that this process runs in (cgroup v1 and v2).
#pragma once

#include <algorithm>
#include <string>

namespace partita::internal {

/// The cgroup path of this process in the unified hierarchy ("0::/path") or for a version 1 controller.
/// `root` is the directory that contains /proc; controller: empty for version 2.
std::string cgroup_path(const std::string& root, const std::string& controller);

/// The smallest limit between a cgroup and the root of the hierarchy. limit: of a folder; infinity if it has
/// none.
template <class Limit>
double tightest(const std::string& root, std::string path, Limit limit) {
  double least = limit(root);
  while (path.size() > 1) {
    least = std::min(least, limit(root + path));
    const std::size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
  return least;
}

}  // namespace partita::internal
