// Matrix products of many rows through oneDNN, for processors whose tiles (AMX) outrun the kernels of this
// directory.
//
// A slice of 64 outputs is unpacked to float, reordered once per step into the layout that oneDNN's primitive
// asks for, and multiplied with all rows in blocks of 64, the last one padded: there is one shape per column
// count, so a row's bits do not depend on how many rows come with it. Compiles with oneDNN 2.6 and 3.x.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita {

/// What products are computed in; sums are float.
enum class TileType : std::uint8_t { kBF16, kF32 };

class TileProducts {
 public:
  static constexpr std::size_t kSliceRows = 64;  // outputs of a slice: four panels
  static constexpr std::size_t kBlockRows = 64;  // rows of activations at a time

  /// Primitives for every column count in `cols`, and memory for `threads` threads and `max_rows` rows.
  /// Errors: kUnsupported where oneDNN has no such product for this processor; kOutOfMemory.
  static Result<std::unique_ptr<TileProducts>> create(TileType type, std::span<const std::size_t> cols,
                                                      std::size_t max_rows, int threads,
                                                      const Kernels& kernels);
  ~TileProducts();

  /// Takes rows [first, last) of x in the tiles' type. All rows must be taken before multiply(); rows past
  /// the end of the last block are zeroed by whoever takes the last row.
  void take_rows(const float* x, std::size_t rows, std::size_t cols, std::size_t first, std::size_t last);

  /// y[r][16 p + i] for p in [first_panel, last_panel), r in [0, rows) of the rows last taken; y as in
  /// Kernels::matmul. `thread`: which of the threads' memory to use. Returns false if oneDNN failed, leaving
  /// y unfinished; failure() says why. Does not throw.
  [[nodiscard]] bool multiply(int thread, const PackedMatrix& w, std::size_t first_panel,
                              std::size_t last_panel, std::size_t rows, float* y, std::size_t ld);

  /// After multiply() returned false, once its threads are done.
  Error failure() const;

 private:
  struct Impl;
  explicit TileProducts(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace partita
