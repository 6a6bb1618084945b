// Surprisal statistics of a row: its entropy, and how far the candidates lie below the likeliest one.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include "engine/kernels/kernels.h"
#include "sampling/chain/candidates.h"

namespace partita::internal {

/// A candidate of weight w lies d = -log(w) = weight_factor() * (max - value) below the likeliest; its
/// probability is w / weights.
struct SurprisalStatistics {
  double weights = 1;   // their sum
  double mean = 0;      // of d under the row's probabilities
  double variance = 0;  // likewise
  /// In nats.
  double entropy() const { return mean + std::log(weights); }
};

/// Sums in a fixed order, in double; tiles that weigh less than 2^-100 are skipped. Precondition: row.max()
/// is finite.
SurprisalStatistics surprisal_statistics(const Candidates& row, const Kernels& kernels);

/// Of all candidates that are not masked, however light: their number, and the mean and the standard
/// deviation (divided by the number) of the distances of their values from the largest.
struct Logits {
  std::size_t count = 0;
  double mean_below = 0;
  double deviation = 0;
};
Logits unmasked(const Candidates& row);

/// The smallest value, rounded up, whose weight is at least `weight`; the largest value if none reaches it.
float least_of_weight(const Candidates& row, double weight);

}  // namespace partita::internal
