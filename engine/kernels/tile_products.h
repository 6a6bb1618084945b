// Matrix products of many rows through oneDNN, for processors whose tiles (AMX) are faster than the kernels
// of this directory.
//
// A slice of 64 outputs is unpacked to float, reordered once per step into the layout of the oneDNN
// primitive, and multiplied with all rows in tiles of 64; the last one is padded. There is one shape per
// column count, so the bits of a row do not depend on the other rows. Compiles with oneDNN 2.6 and 3.x.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita::internal {

/// The type of the factors; sums are float.
enum class TileType : std::uint8_t { kBF16, kF32 };

class TileProducts {
 public:
  static constexpr std::size_t kSliceRows = 64;  // outputs of a slice: four panels
  static constexpr std::size_t kTileRows = 64;   // rows of activations at a time

  /// Creates primitives for every column count in `cols`, and memory for `threads` threads and `max_rows`
  /// rows. Errors: kUnsupported if oneDNN has no such product for this processor; kOutOfMemory.
  static Result<std::unique_ptr<TileProducts>> create(TileType type, std::span<const std::size_t> cols,
                                                      std::size_t max_rows, int threads,
                                                      const Kernels& kernels);
  ~TileProducts();

  /// Converts rows [first, last) of x to the type of the tiles. All rows must be converted before multiply();
  /// the thread that converts the last row zeroes the padding.
  void convert_rows(const float* x, std::size_t rows, std::size_t cols, std::size_t first, std::size_t last);

  /// y[r][16 p + i] for p in [first_panel, last_panel), r in [0, rows) of the rows converted last; y as in
  /// Kernels::matmul. `thread`: the index of the thread's memory. Returns false if oneDNN failed, leaving y
  /// unfinished; failure() has the reason. Does not throw.
  [[nodiscard]] bool multiply(int thread, const PackedMatrix& w, std::size_t first_panel,
                              std::size_t last_panel, std::size_t rows, float* y, std::size_t ld);

  /// The error after multiply() returned false, once all its threads are done.
  Error failure() const;

 private:
  struct Impl;
  explicit TileProducts(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace partita::internal
