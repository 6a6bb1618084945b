// The draw: inverse CDF over the candidates in ascending id order.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernels/kernels.h"
#include "sampling/candidates.h"
#include "sampling/choice.h"

namespace partita {

/// The sum over all candidates of their weights, exp(inverse_temperature * (value - max)); block_sums: those
/// of every kBlockValues candidates, in order (replaced), 0 below 2^-100. Precondition: row.max() is finite,
/// so the sum is at least 1.
double sum_weights(const Candidates& row, const Kernels& kernels, std::vector<double>& block_sums);

/// Whether a block is known to weigh less than 2^-100 without looking at its candidates.
bool weighs_nothing(const Candidates& row, std::size_t block);

/// The weights of the candidates of one block; returns how many there are. out: [kBlockValues].
std::size_t block_weights(const Candidates& row, const Kernels& kernels, std::size_t block, float* out);

/// The first id, in ascending order, at which the running sum of probabilities exceeds u in [0, 1), and its
/// probability. A candidate of weight 0 is never drawn. Precondition: row.max() is finite.
Choice draw(Candidates& row, const Kernels& kernels, double u);

}  // namespace partita
