// Weighted selection without sorting: the smallest set of largest values whose weights reach a target, as
// top-k and top-p need it.
#pragma once

#include <cstddef>
#include <limits>
#include <span>

namespace partita::internal {

/// A set of the largest values under the order (value descending, id ascending): every value above `least`,
/// and of those equal to it the first `ties` in id order.
struct Cut {
  static constexpr std::size_t kAllTies = std::numeric_limits<std::size_t>::max();
  float least = -std::numeric_limits<float>::infinity();
  std::size_t ties = kAllTies;
};

/// The smallest such set whose weights sum to at least `target`; never empty, and all values if the sum of
/// all is smaller. values: [n], no NaN; masked entries (-inf) are ignored. weights: [n], >= 0, equal for
/// equal values; or empty: every weight is 1. Both are overwritten. Each pass narrows the range of values
/// 1024-fold: two or three passes are usual, about thirty the most that floats allow.
Cut select_largest(std::span<float> values, std::span<float> weights, double target);

}  // namespace partita::internal
