#include "sampling/suffix_matches.h"

#include <algorithm>
#include <cstddef>

namespace partita::internal {

void suffix_matches(std::span<const std::int32_t> ids, std::span<std::uint32_t> matches) {
  const std::size_t n = ids.size();
  const auto from_end = [&](std::size_t k) { return ids[n - 1 - k]; };
  matches[0] = static_cast<std::uint32_t>(n);
  matches[n] = static_cast<std::uint32_t>(0);
  // [left, right): the match that extends furthest back. Inside it, matches of the copy are known already.
  std::size_t left = 0, right = 0;
  for (std::size_t k = 1; k < n; ++k) {
    std::size_t length = k < right ? std::min<std::size_t>(right - k, matches[k - left]) : 0;
    while (k + length < n && from_end(length) == from_end(k + length)) ++length;
    matches[k] = static_cast<std::uint32_t>(length);
    if (k + length > right) {
      left = k;
      right = k + length;
    }
  }
}

}  // namespace partita::internal
