// Top-k selection, shared by the top-k filter and the list of likeliest ids (top log-probabilities).
#pragma once

#include <cstddef>
#include <span>

#include "sampling/chain/candidates.h"

namespace partita::internal {

/// Keeps the k largest candidates; the lowest ids win a tie. Masked candidates are dropped even if fewer than
/// k candidates remain.
void keep_top_k(Candidates& row, std::size_t k);

/// Writes the largest unmasked values, descending, at most out.size(); returns their number.
std::size_t largest(Candidates& row, std::span<float> out);

}  // namespace partita::internal
