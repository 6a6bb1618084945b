// ALiBi, attention with linear biases (Press et al. 2022): a score falls with the distance of its key.
#pragma once

#include <cstdint>
#include <vector>

namespace partita::internal {

/// The slope of each head. With n heads, a power of two, that of head h (from 1) is 2^(-max_bias h / n).
/// Other numbers of heads have the slopes of the next smaller power of two, then those that twice as many
/// heads would have at odd h. Precondition: heads > 0.
std::vector<float> alibi_slopes(std::uint32_t heads, double max_bias);

}  // namespace partita::internal
