// The numbers of a screen: how quants stand for dimensions. Of screen.cc and screen_making.cc alone.
#pragma once

#include <cstddef>

#include "sampling/heads/screen.h"

namespace partita {

// A narrow dimension's quant has 0 .. 15, a wide one's 0 .. 255 in two places of four bits each.
inline constexpr double kNarrowZero = 8, kWideZero = 128;
inline constexpr double kNarrowReach = 7, kWideReach = 127;  // so that the dither still fits
inline constexpr int kWideFactor = 16;

inline bool is_wide(std::size_t dim) { return dim < kWideDims; }
inline double zero_of(std::size_t dim) { return is_wide(dim) ? kWideZero : kNarrowZero; }
/// The place of a dimension's (low) quant; that of a wide one's high quant is the dimension.
inline std::size_t place_of(std::size_t dim) { return kWideDims + dim; }

}  // namespace partita
