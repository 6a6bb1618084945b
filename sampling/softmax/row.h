// What the files of this folder share: a row's maximum, its blocks, its checks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita {

/// Sums are taken in float inside Kernels::exp_sum over this many entries, in double across them.
inline constexpr std::size_t kSoftmaxBlock = 256;

/// f(first, n) for the blocks of [0, size), in order.
template <class F>
void for_blocks(std::size_t size, F&& f) {
  for (std::size_t first = 0; first < size; first += kSoftmaxBlock) {
    f(first, std::min(kSoftmaxBlock, size - first));
  }
}

/// The largest logit and the start of the first block that holds it.
struct Peak {
  float max = 0;
  std::size_t block = 0;
};

/// Errors: those of log_partition.
Result<Peak> find_peak(std::span<const float> logits, const Kernels& kernels);

/// kInvalidArgument unless the two sizes are one.
Result<void> check_sizes(std::size_t in, std::size_t out);

/// The table that the public functions use, chosen at the first call. Errors: those of choose_isa.
Result<const Kernels*> family_kernels();

}  // namespace partita
