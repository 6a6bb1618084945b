// Scores that depend on the position of the query (Nakanishi 2025).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace partita::internal {

/// A scale of queries that grows with their position p: 1 + slope * ln(1 + floor((p + offset) / period)).
struct QueryScale {
  float slope = 0;  // 0: none
  std::uint32_t period = 1, offset = 0;
  float at(std::size_t position) const {
    if (slope == 0) return 1;
    const std::size_t periods = (position + offset) / period;
    return static_cast<float>(1 + static_cast<double>(slope) * std::log1p(static_cast<double>(periods)));
  }
};

}  // namespace partita::internal
