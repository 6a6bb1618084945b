// A cheap look at a large matrix product: bounds of every output, from four bits a weight. Where the bounds
// come from is sampling/heads/screen.h's matter; this is what the kernels are given, and the arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/panels.h"

namespace partita {

/// The first places of a row, in pair order, are multiplied with 16-bit numbers, all others with bytes.
inline constexpr std::size_t kScreenWide = 64;

/// 15 * 32767 * kScreenWide and 15 * 127 * kMostScreenCols fit the 32-bit sums.
inline constexpr std::size_t kMostScreenCols = 4096;

/// The place of each eight that the bytes of a query have in this order: so that the low nibbles of a word
/// meet the first four, the high ones the others.
inline constexpr std::size_t kNibbleOrder[8] = {0, 4, 1, 5, 2, 6, 3, 7};

/// The value of a row that pads the last panel: below every bound.
inline constexpr float kNoScreenRow = -1e38F;

/// Rows of whole numbers q in [0, 15] with a step and a base each, in panels of 16 rows: 4-bit quants as
/// panels.h lays them out, [cols / 32][256 bytes]; then 16 steps and 16 bases, floats. Rows past the last
/// have step 0 and base kNoScreenRow. A view.
struct ScreenPanels {
  static constexpr std::size_t kGroupBytes = 256;
  static constexpr std::size_t kTailBytes = 2 * kPanelRows * sizeof(float);

  std::size_t rows = 0;
  std::size_t cols = 0;                // multiple of 32, kScreenWide to kMostScreenCols
  const std::byte* storage = nullptr;  // aligned

  std::size_t panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  std::size_t quant_bytes() const { return cols / kGroupCols * kGroupBytes; }
  std::size_t panel_bytes() const { return quant_bytes() + kTailBytes; }
  std::size_t bytes() const { return panels() * panel_bytes(); }
  const std::byte* quants(std::size_t panel) const { return storage + panel * panel_bytes(); }
  const float* steps(std::size_t panel) const {
    return reinterpret_cast<const float*>(quants(panel) + quant_bytes());
  }
  const float* bases(std::size_t panel) const { return steps(panel) + kPanelRows; }
};

/// Where a panel keeps the quant at `place` (in pair order) of a row: four bits of a 32-bit word.
struct ScreenPlace {
  std::size_t byte = 0;  // where the word begins
  int shift = 0;
};
constexpr ScreenPlace screen_place(std::size_t lane, std::size_t place) {
  const std::size_t pair = place % 8 / 2, half = place % 2;
  return {place / 8 * 64 + lane * 4, static_cast<int>(4 * pair + 16 * half)};
}

/// What rows of hidden states ask of a screen. A view; all floats finite, reach and slack not negative.
struct ScreenQuery {
  std::size_t rows = 0;
  std::size_t cols = 0;
  const std::int16_t* wide = nullptr;   // [rows][kScreenWide] in pair order
  const std::int8_t* narrow = nullptr;  // [rows][cols - kScreenWide] in nibble order, not -128
  const float* wide_scale = nullptr;    // [rows]
  const float* narrow_scale = nullptr;  // [rows]
  const float* offset = nullptr;        // [rows]
  const float* reach = nullptr;  // [rows]: how far an output may be from its estimate, in steps of its row
  const float* slack = nullptr;  // [rows]: and beyond that
};

/// How much more, of the numbers that enter an estimate, covers the rounding of its floats: some eight
/// roundings of 2^-24 each, twice over.
inline constexpr float kScreenRounding = 0x1p-20F;

}  // namespace partita
