// What the codecs of IQ1, IQ2 and IQ3 share: the grids that their indices choose rows from, and how a row
// becomes quants.
//
// The grids are facts of the file format, as llama.cpp defines it (ggml/src/ggml-common.h: iq2xxs_grid and
// others). Here a row holds the place of each element in the list of magnitudes, not the magnitude.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "weights/codecs/block.h"

namespace partita::internal {

/// Rows of eight elements, two bits each, the first lowest.
extern const std::uint16_t kIq2XxsGrid[256], kIq2XsGrid[512], kIq2SGrid[1024], kIq1Grid[2048];
/// Rows of four elements, four bits each, of which three are used.
extern const std::uint16_t kIq3XxsGrid[256], kIq3SGrid[512];

/// By the element of a grid, the sign in bit 2. Element 3 does not occur.
inline constexpr Codebook kIq2Codebook = codebook_of({8, 25, 43, 0, -8, -25, -43, 0});
/// 8 g + 1 for g = -1, 0 and 1, and 8 g - 1 where bit 2 is set.
inline constexpr Codebook kIq1Codebook = codebook_of({-7, 1, 9, 0, -9, -1, 7, 0});

/// q of a row of eight; bit i of `signs` becomes bit 2 of element i.
inline void expand_8(std::uint16_t row, unsigned signs, std::uint8_t* q) {
  for (int i = 0; i < 8; ++i) q[i] = static_cast<std::uint8_t>((row >> (2 * i) & 3) | (signs >> i & 1) << 2);
}

/// q of a row of four; bit i of `signs` becomes bit 3 of element i.
inline void expand_4(std::uint16_t row, unsigned signs, std::uint8_t* q) {
  for (int i = 0; i < 4; ++i) q[i] = static_cast<std::uint8_t>((row >> (4 * i) & 7) | (signs >> i & 1) << 3);
}

/// Eight signs, of which seven are stored: the number of set ones is even.
inline unsigned even_signs(unsigned seven) {
  return seven | (static_cast<unsigned>(std::popcount(seven)) & 1) << 7;
}

/// The scales 2 s + 1 of 16 groups from eight bytes, of IQ2_XS and IQ2_S.
inline void unpack_iq2_scales(const std::byte* from, std::int8_t* sc) {
  for (int i = 0; i < 8; ++i) {
    sc[2 * i] = static_cast<std::int8_t>(2 * low_nibble(from[i]) + 1);
    sc[2 * i + 1] = static_cast<std::int8_t>(2 * high_nibble(from[i]) + 1);
  }
}

}  // namespace partita::internal
