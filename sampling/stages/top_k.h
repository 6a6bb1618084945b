// Top-k selection, which the filter and the list of likeliest ids share.
#pragma once

#include <cstddef>
#include <span>

#include "sampling/chain/candidates.h"

namespace partita {

/// Keeps the k largest, ties broken by the lowest id. Masked candidates are dropped even if fewer than k are
/// left.
void keep_top_k(Candidates& row, std::size_t k);

/// The largest values, descending, as many as `out` holds or are not masked; returns how many.
std::size_t largest(Candidates& row, std::span<float> out);

}  // namespace partita
