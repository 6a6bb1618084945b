// The draw of a token from the remaining candidates (Gumbel-max), and the weights of candidates.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernels/kernels.h"
#include "sampling/chain/candidates.h"
#include "sampling/chain/philox.h"

namespace partita::internal {

/// The sum of the weights of all candidates, exp(inverse_temperature * (value - max)). tile_sums: replaced by
/// the sum of each logit tile, in order, 0 if below 2^-100. Precondition: row.max() is finite, so the sum is
/// at least 1.
double sum_weights(const Candidates& row, const Kernels& kernels, std::vector<double>& tile_sums);

/// Whether the maximum of a tile proves that the tile weighs less than 2^-100.
bool weighs_nothing(const Candidates& row, std::size_t tile);

/// The weights of the candidates of one tile; returns their number. out: [kLogitTile].
std::size_t tile_weights(const Candidates& row, const Kernels& kernels, std::size_t tile, float* out);

/// The index of the drawn candidate: the argmax of weight_factor() * (value - max) + noise (noise.h). Each id
/// is drawn with its probability, and the result depends on the key and the candidates alone. Reads few
/// candidates and needs no sum. Precondition: row.max() is finite.
std::size_t draw(const Candidates& row, const DrawKey& key);

/// The probability of the candidate at an index. Precondition: row.max() is finite.
float probability(Candidates& row, const Kernels& kernels, std::size_t index);

}  // namespace partita::internal
