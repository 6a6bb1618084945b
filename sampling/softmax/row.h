// Shared by the files of this folder: the maximum of a row, its tiles, and checks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita::internal {

/// Sums are taken in float inside Kernels::exp_sum over tiles of this many entries, in double across tiles.
inline constexpr std::size_t kSoftmaxTile = 256;

/// f(first, n) for the tiles of [0, size), in order.
template <class F>
void for_softmax_tiles(std::size_t size, F&& f) {
  for (std::size_t first = 0; first < size; first += kSoftmaxTile) {
    f(first, std::min(kSoftmaxTile, size - first));
  }
}

/// The largest logit and the start of the first tile that contains it.
struct Peak {
  float max = 0;
  std::size_t tile = 0;
};

/// Errors: those of log_partition.
Result<Peak> find_peak(std::span<const float> logits, const Kernels& kernels);

/// kInvalidArgument unless the two sizes are equal.
Result<void> check_sizes(std::size_t in, std::size_t out);

/// The kernel table that the public functions use, chosen at the first call. Errors: those of choose_isa.
Result<const Kernels*> family_kernels();

}  // namespace partita::internal
