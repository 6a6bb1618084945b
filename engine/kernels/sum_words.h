// Reads memory at full bandwidth; shared by the measurements of memory bandwidth.
#pragma once

#include <cstddef>
#include <cstdint>

namespace partita::internal {

/// The sum of n words, except the last n % 32, in 32 independent sums, so that neither latency nor the adder
/// is the bottleneck. Vectorized with the instruction set of the caller.
[[gnu::always_inline]] inline std::uint64_t sum_words(const std::uint64_t* words, std::size_t n) {
  std::uint64_t sums[32] = {};
  for (std::size_t i = 0; i + 32 <= n; i += 32) {
    for (std::size_t lane = 0; lane < 32; ++lane) sums[lane] += words[i + lane];
  }
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  return total;
}

}  // namespace partita::internal
