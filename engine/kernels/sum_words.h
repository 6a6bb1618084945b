// Reading memory as fast as it gives: what the measurements of its speed share.
#pragma once

#include <cstddef>
#include <cstdint>

namespace partita {

/// The sum of n words, but for the last n % 32, in 32 independent sums, so that neither latency nor the adder
/// is the limit. With the vectors of whoever calls it.
[[gnu::always_inline]] inline std::uint64_t sum_words(const std::uint64_t* words, std::size_t n) {
  std::uint64_t sums[32] = {};
  for (std::size_t i = 0; i + 32 <= n; i += 32) {
    for (std::size_t lane = 0; lane < 32; ++lane) sums[lane] += words[i + lane];
  }
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  return total;
}

}  // namespace partita
