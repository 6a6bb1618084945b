// The draw from what the stages left, and the weights of candidates.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernels/kernels.h"
#include "sampling/chain/candidates.h"
#include "sampling/chain/philox.h"

namespace partita {

/// The sum over all candidates of their weights, exp(inverse_temperature * (value - max)); block_sums: those
/// of every kBlockValues candidates, in order (replaced), 0 below 2^-100. Precondition: row.max() is finite,
/// so the sum is at least 1.
double sum_weights(const Candidates& row, const Kernels& kernels, std::vector<double>& block_sums);

/// Whether a block is known to weigh less than 2^-100 without looking at its candidates.
bool weighs_nothing(const Candidates& row, std::size_t block);

/// The weights of the candidates of one block; returns how many there are. out: [kBlockValues].
std::size_t block_weights(const Candidates& row, const Kernels& kernels, std::size_t block, float* out);

/// The place of the candidate that is drawn: the argmax of weight_factor() * (value - max) + noise (noise.h),
/// so that an id is drawn with its probability, and the id depends on the key and the candidates alone. It
/// looks at few of them, and sums nothing. Precondition: row.max() is finite.
std::size_t draw(const Candidates& row, const DrawKey& key);

/// The probability of the candidate at this place. Precondition: row.max() is finite.
float probability(Candidates& row, const Kernels& kernels, std::size_t place);

}  // namespace partita
