// Screening of the LM head: cheap bounds of every output of a large matrix product, from four bits per
// weight. sampling/heads/screen.h derives the bounds; this file has the input of the kernels and the
// arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/panels.h"

namespace partita::internal {

/// The first columns of a row, in pair order, are multiplied with 16-bit integers, all others with bytes.
inline constexpr std::size_t kScreenWide = 64;

/// 15 * 32767 * kScreenWide and 15 * 127 * kMaxScreenCols fit the 32-bit sums.
inline constexpr std::size_t kMaxScreenCols = 4096;

/// The position, within each eight columns, of the bytes of a query: the low nibbles of a word meet the first
/// four bytes, the high nibbles the last four.
inline constexpr std::size_t kNibbleOrder[8] = {0, 4, 1, 5, 2, 6, 3, 7};

/// The base of a row that pads the last panel: below every bound.
inline constexpr float kNoScreenRow = -1e38F;

/// Rows of integers q in [0, 15] with a step and a base each, in panels of 16 rows: 4-bit quants in the
/// layout of panels.h, [cols / 32][256 bytes]; then 16 steps and 16 bases, floats. Padding rows have step 0
/// and base kNoScreenRow. A view.
struct ScreenPanels {
  static constexpr std::size_t kGroupBytes = 256;
  static constexpr std::size_t kTailBytes = 2 * kPanelRows * sizeof(float);

  std::size_t rows = 0;
  std::size_t cols = 0;                // multiple of 32, kScreenWide to kMaxScreenCols
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

/// The position in a panel of the quant of a row at `place` (in pair order): four bits of a 32-bit word.
struct ScreenPlace {
  std::size_t byte = 0;  // the start of the word
  int shift = 0;
};
constexpr ScreenPlace screen_place(std::size_t lane, std::size_t place) {
  const std::size_t pair = place % 8 / 2, half = place % 2;
  return {place / 8 * 64 + lane * 4, static_cast<int>(4 * pair + 16 * half)};
}

/// Hidden states, prepared as queries of a screen. A view; all floats are finite, error_bound and slack are
/// not negative.
struct ScreenQuery {
  std::size_t rows = 0;
  std::size_t cols = 0;
  const std::int16_t* wide = nullptr;   // [rows][kScreenWide] in pair order
  const std::int8_t* narrow = nullptr;  // [rows][cols - kScreenWide] in nibble order, not -128
  const float* wide_scale = nullptr;    // [rows]
  const float* narrow_scale = nullptr;  // [rows]
  const float* offset = nullptr;        // [rows]
  const float* error_bound = nullptr;   // [rows]: bound of |output - estimate|, in steps of the row
  const float* slack = nullptr;         // [rows]: added to the bound
};

/// The factor, relative to the magnitudes in an estimate, that covers the float rounding: about eight
/// roundings of 2^-24 each, doubled.
inline constexpr float kScreenRounding = 0x1p-20F;

}  // namespace partita::internal
