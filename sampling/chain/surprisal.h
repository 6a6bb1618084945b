// How the probability of a row is spread: its entropy, and how far below the likeliest candidate the others
// lie.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include "engine/kernels/kernels.h"
#include "sampling/chain/candidates.h"

namespace partita {

/// A candidate of weight w lies d = -log(w) = weight_factor() * (max - value) below the likeliest; its
/// probability is w / weights.
struct Spread {
  double weights = 1;   // their sum
  double mean = 0;      // of d under the row's probabilities
  double variance = 0;  // likewise
  /// Natural.
  double entropy() const { return mean + std::log(weights); }
};

/// Sums in a fixed order, in double; nothing below 2^-100 counts. Precondition: row.max() is finite.
Spread spread(const Candidates& row, const Kernels& kernels);

/// Of all candidates that are not masked, however light: how many, and the mean and the standard deviation
/// (dividing by how many) of their values' distance from the largest.
struct Logits {
  std::size_t count = 0;
  double mean_below = 0;
  double deviation = 0;
};
Logits unmasked(const Candidates& row);

/// The least value, rounded up, whose weight is at least `weight`; the largest value if none is that heavy.
float least_of_weight(const Candidates& row, double weight);

}  // namespace partita
