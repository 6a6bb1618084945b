// The scales of a checkpoint's FP8 matrices. Internal to api/.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "partita/result.hpp"
#include "weights/safetensors/safetensors.h"

namespace partita::internal {

/// Multiply the elements of an FP8 tensor: all, those of a row, or those of a block of 128 x 128.
class Fp8Scales {
 public:
  /// Reads `scales`, of `of`. Errors: kUnsupported for other shapes and types; kBadNumbers for scales that
  /// are not finite.
  static Result<std::shared_ptr<const Fp8Scales>> read(const SafeTensors& from, const SafeTensor& of,
                                                       const SafeTensor& scales);

  float at(std::size_t place) const {  // of an element of the tensor
    const std::size_t row = place / cols_, matrix = row / rows_;
    return values_[matrix * matrix_step_ + row % rows_ / block_rows_ * row_step_ +
                   place % cols_ / block_cols_];
  }
  /// How many elements from this one on have its scale at least.
  std::size_t run(std::size_t place) const { return block_cols_ - place % cols_ % block_cols_; }

  /// Whether the products of all scales with FP8 numbers are BF16 numbers.
  bool keep_bf16(Fp8 type) const;

 private:
  std::vector<float> values_;
  std::size_t rows_ = 1, cols_ = 1;              // of each matrix of the tensor
  std::size_t block_rows_ = 1, block_cols_ = 1;  // of a scale
  std::size_t row_step_ = 0, matrix_step_ = 0;   // in `values_`, from block to block
};

}  // namespace partita::internal
