// The tensors of a GGUF file: names, shapes, types, and where their bytes are.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "weights/codecs/dtype.h"

namespace partita::internal {

/// The shape of a tensor: at most four dimensions, slowest first as in PyTorch ({rows, columns}), stored
/// inline so that a file with many tensors takes one allocation. No dimension is 0, so the rank is the index
/// of the first zero.
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 4;

  Shape() = default;

  /// Drops dimensions beyond the fourth; reader and writer refuse such tensors earlier.
  explicit Shape(std::span<const std::uint64_t> dims) {
    std::copy_n(dims.begin(), std::min(dims.size(), kMaxRank), dims_.begin());
  }

  std::size_t size() const { return static_cast<std::size_t>(end() - begin()); }
  std::uint64_t operator[](std::size_t i) const { return dims_[i]; }  // precondition: i < size()
  const std::uint64_t* begin() const { return dims_.data(); }
  const std::uint64_t* end() const { return std::find(begin(), begin() + kMaxRank, 0u); }
  operator std::span<const std::uint64_t>() const { return {begin(), size()}; }  // NOLINT: a view of it

  /// The product of the dimensions.
  std::uint64_t elements() const {
    std::uint64_t product = 1;
    for (const std::uint64_t dim : *this) product *= dim;
    return product;
  }

 private:
  std::array<std::uint64_t, kMaxRank> dims_{};
};

/// One tensor and the location of its bytes; Gguf::read() reads them.
struct TensorView {
  std::string_view name;
  Shape shape;                       // no dimension is 0; the last one is a multiple of block_elements(dtype)
  std::span<const std::byte> bytes;  // rows * columns / block_elements * block_bytes of them
  Dtype dtype = Dtype::kF32;
};

/// A tensor whose element type has no codec here, as the file describes it.
struct UnsupportedTensor {
  std::string_view name;
  Shape shape;
  std::uint32_t type = 0;   // ggml_type number
  std::size_t tensors = 0;  // how many of Gguf::tensors() come before it in the file
};

}  // namespace partita::internal
