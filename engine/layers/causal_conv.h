// Depthwise causal convolution over the tokens of a sequence: each column is filtered on its own. Its state
// is its last inputs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/cache/kv_cache.h"
#include "engine/tensor_loader.h"

namespace partita::internal {

/// y[t][c] = bias[c] + the sum over j of weight[j][c] * x[t - taps + 1 + j][c]; inputs before the first token
/// are 0.
struct CausalConv {
  std::uint32_t taps = 0, columns = 0;
  Vector weight;  // [taps][columns], that of the current token last
  Vector bias;    // [columns] or empty

  /// Of the last inputs, [taps - 1][columns], oldest first.
  std::size_t state_bytes() const { return (taps - std::size_t{1}) * columns * sizeof(float); }
  std::size_t bytes() const { return (weight.size() + bias.size()) * sizeof(float); }
};

/// Rows of consecutive tokens of one sequence, and the columns to compute in them.
struct ConvRows {
  float* x = nullptr;      // row 0, column 0 of the convolution
  std::size_t stride = 0;  // from row to row
  std::size_t tokens = 0;
  std::size_t first = 0, last = 0;  // columns
};

/// Replaces the inputs in `rows` by their convolution. Reads and writes these columns of the convolution's
/// state, which begins at `offset` in the states of `step` (kv_cache.h). The order of a sum is that of the
/// taps, the bias first.
void convolve(const CausalConv& conv, const StateStep& step, std::size_t offset, const ConvRows& rows);

}  // namespace partita::internal
