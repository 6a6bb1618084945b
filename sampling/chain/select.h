// Weighted selection without sorting: which values stay when the largest are taken until their weights
// suffice.
#pragma once

#include <cstddef>
#include <limits>
#include <span>

namespace partita {

/// A set of the largest values under the order (value descending, id ascending): every value above `least`,
/// and of those equal to it the first `ties` in id order.
struct Cut {
  static constexpr std::size_t kAllTies = std::numeric_limits<std::size_t>::max();
  float least = -std::numeric_limits<float>::infinity();
  std::size_t ties = kAllTies;
};

/// The smallest such set whose weights sum to at least `target`, never empty; all of them if they do not sum
/// to it. values: [n], no NaN; masked entries (-inf) are passed over. weights: [n], >= 0, equal for equal
/// values; or empty, and every weight is 1. Both are overwritten. Each pass narrows the range of values
/// 1024-fold, so two or three are usual and about thirty the most that floats allow.
Cut select_largest(std::span<float> values, std::span<float> weights, double target);

}  // namespace partita
