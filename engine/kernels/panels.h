// Packed weight matrices (repacked quantized weights): panels of 16 output rows, in the layout that the
// kernels load.
//
// A matrix W has `rows` outputs and `cols` inputs (y = W x). Panel p holds rows 16p .. 16p+15, padded with
// zero rows at the end; within it the 16 rows are the 16 lanes of every load, so that a dot product needs no
// horizontal sum and one activation, broadcast, serves 16 outputs.
//
// Quantized panels (all types with groups) are two planes, each 64-byte aligned:
//   quants, per group of 32 columns, bits * 64 bytes:
//     4 bits: 4 vectors of 16 x u32. Vector t, lane r: eight nibbles = columns 8t .. 8t+7 of row r in the
//     order
//             0 4 1 5 2 6 3 7 (low nibble first): (v >> 4s) & 0x000F000F is a pair of 16-bit weights, the
//             pairs s = 0..3 being columns (0,2) (4,6) (1,3) (5,7) of the eight; and v & 0x0F0F0F0F, (v >> 4)
//             & .. are four consecutive bytes each, for byte dot products.
//     5 bits: the same, then one vector: bit p of each 16-bit half of lane r is the fifth bit of pair p
//     (0..15). 6 bits: the same, then two vectors: bits 2j, 2j+1 of each half are bits 4..5 of pair 8h + j.
//     8 bits: 8 vectors of 16 x 4 bytes. Vector t, lane r: columns 4t .. 4t+3: (v & 0x00FF00FF) is columns
//     (0,2),
//             (v >> 8) & 0x00FF00FF columns (1,3) of the four.
//     With a codebook 1 to 4 bits, in words of eight nibbles as above, whose low bits are q: word t of 4 has
//     the columns 8t .. 8t+7. 4 bits: vector t holds word t. 3 bits: vector t holds word t for t < 3, and bit
//     3 of its nibbles is bit t of the nibbles of word 3. 2 bits: vector t / 2 shifted right by 2 (t % 2). 1
//     bit: the vector shifted right by t. Bits above those of q are any: the codebook repeats.
//   scales, per group of 32 columns:
//     kF16:     16 f16 scales                        kF16Min: 16 f16 scales, 16 f16 minima (value = d q + m)
//     kSuper:   16 u8 sc, 16 u8 mn; before the first of each 8 groups 16 f16 d, 16 f16 dmin
//     kSuperU4: 2 x 16 bytes for groups of 16 columns, sc in the low nibble, mn in the high; d, dmin as
//     before kSuperI8: 16 i8 sc, or 2 x 16 if a group is 16 columns; before the first of each 8 groups 16 f16
//     d kE8M0:    16 u8 e kUE4M3:   2 x 16 u8 sc (a group is 16 columns)
// Float panels are [cols][16] elements of the file's type.
//
// Activations are 16-bit integers under one float scale per row, stored in the order in which the panels
// yield pairs: within every 8 columns 0 2 4 6 1 3 5 7. Products are summed exactly in 32-bit integers within
// a group; across groups there is one fused multiply-add per group in column order; the scale comes last. So
// the bits of an output depend only on its row of W and its activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/panel_memory.h"
#include "partita/result.hpp"
#include "weights/codecs/codec.h"
#include "weights/codecs/dtype.h"

namespace partita::internal {

inline constexpr int kPanelRows = 16;
inline constexpr int kGroupCols = 32;   // columns of a quantized panel under one scale (or two)
inline constexpr int kSuperGroups = 8;  // groups in a 256-element block
/// The column, within each eight columns, at position i of the pair order.
inline constexpr int kPairOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};

/// A packed matrix; its memory belongs to the arena. Immutable after pack_panels().
struct PackedMatrix {
  std::size_t rows = 0;  // outputs
  std::size_t cols = 0;  // inputs
  Dtype dtype = Dtype::kF32;
  QuantLayout layout;            // of the type; layout.bits == 0 for float types
  std::size_t quant_bytes = 0;   // of one panel's quants (float types: the whole panel)
  std::size_t scale_bytes = 0;   // of one panel's scales
  std::byte* storage = nullptr;  // panels one after the other: quants, scales

  std::size_t panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  std::size_t panel_bytes() const { return quant_bytes + scale_bytes; }
  std::size_t bytes() const { return panels() * panel_bytes(); }
  const std::byte* quants(std::size_t panel) const { return storage + panel * panel_bytes(); }
  const std::byte* scales(std::size_t panel) const { return quants(panel) + quant_bytes; }
  bool quantized() const { return layout.bits != 0; }
};

/// Panels [first, last) of a matrix, and the panel that is needed next, which is prefetched meanwhile.
struct PanelRange {
  constexpr PanelRange(std::size_t first_panel, std::size_t last_panel)
      : PanelRange(first_panel, last_panel, last_panel) {}
  constexpr PanelRange(std::size_t first_panel, std::size_t last_panel, std::size_t next_panel)
      : first(first_panel), last(last_panel), next(next_panel) {}
  std::size_t first, last, next;
};

/// A matrix of this shape without storage. Error: kUnsupported if the columns are not whole quantization
/// blocks.
Result<PackedMatrix> panels_for(Dtype dtype, std::size_t rows, std::size_t cols);

/// The same with zero-filled storage. Errors: also kOutOfMemory.
Result<PackedMatrix> allocate_panels(Dtype dtype, std::size_t rows, std::size_t cols, PanelArena& arena);

/// Rows of a matrix as stored in a file, one after the other.
struct RowBlocks {
  std::span<const std::byte> bytes;
  std::size_t first_row = 0;  // of the matrix in the file, where `bytes` begins
};

/// Fills panels [first, last): row r of the matrix is row `row_map[r]` of the file (an empty map is the
/// identity), which must be in `blocks`. Different threads may fill different panels of one matrix.
void pack_panels(PackedMatrix& matrix, const RowBlocks& blocks, std::span<const std::uint32_t> row_map,
                 std::size_t first, std::size_t last);

/// Dequantizes one row, exactly as the dequantize function of the codec. out: [cols], `stride` apart.
void unpack_row(const PackedMatrix& matrix, std::size_t row, float* out, std::size_t stride = 1);

/// Unpacks a group of a panel, for the scalar kernels. quants: [32 columns in pair order][16 rows], the
/// levels (QuantLayout::level). Precondition: quantized().
void unpack_quants(const PackedMatrix& matrix, std::size_t panel, std::size_t group, std::int16_t* quants);

/// scales: [4][16]: the scale of columns 0..15, the scale of columns 16..31, and the values added to those
/// columns.
void unpack_scales(const PackedMatrix& matrix, std::size_t panel, std::size_t group, float* scales);

}  // namespace partita::internal
