// The layout of a screen's quants: how they encode the dimensions of the basis.
#pragma once

#include <cstddef>

#include "engine/kernels/kernels.h"

namespace partita::internal {

/// Dimensions of the basis whose components have eight bits.
inline constexpr std::size_t kWideDims = kScreenWide / 2;

/// The layout of a screen's rows for a matrix of this shape.
constexpr ScreenPanels screen_panels(std::size_t rows, std::size_t hidden_size,
                                     const std::byte* storage = nullptr) {
  return {rows, hidden_size + kWideDims, storage};
}

// The quant of a narrow dimension is 0 .. 15, that of a wide one 0 .. 255 in two columns of four bits each.
inline constexpr double kNarrowZero = 8, kWideZero = 128;
inline constexpr double kNarrowRange = 7, kWideRange = 127;  // leaves a step for the dither
inline constexpr int kWideFactor = 16;

inline bool is_wide(std::size_t dim) { return dim < kWideDims; }
inline double zero_of(std::size_t dim) { return is_wide(dim) ? kWideZero : kNarrowZero; }
/// The column of a dimension's (low) quant. The column of a wide dimension's high quant is the dimension
/// itself.
inline std::size_t place_of(std::size_t dim) { return kWideDims + dim; }

}  // namespace partita::internal
