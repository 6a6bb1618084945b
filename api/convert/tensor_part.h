// What tensors of a checkpoint give to a tensor of a model file, read when it is asked for. Internal to api/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "api/convert/fp8_scales.h"
#include "partita/result.hpp"
#include "weights/codecs/dtype.h"
#include "weights/gguf/writer.h"
#include "weights/safetensors/safetensors.h"

namespace partita::internal {

/// An order of rows or columns; null: as they are.
using Order = std::shared_ptr<const std::vector<std::size_t>>;

Order make_order(std::span<const std::size_t> order);

/// A matrix of elements of one tensor: (r, c) is element first + row r * row_step + column c * col_step,
/// where an order says which row and column these are. One of the steps is 1.
struct TensorPart {
  const SafeTensor* from = nullptr;  // null: zeros
  std::size_t rows = 0, cols = 0, first = 0, row_step = 0, col_step = 1;
  Order row_order, col_order;
  std::shared_ptr<const Fp8Scales> scales;  // of an FP8 tensor; null: none

  // What becomes of each element, in this order.
  float scale = 1;       // multiplies it
  float offset = 0;      // is added
  bool is_rate = false;  // -exp of it

  std::size_t elements() const { return rows * cols; }
  /// The place in `from` of element i, row by row.
  std::size_t place(std::size_t i) const;

  // Precondition: no orders.
  TensorPart reshaped(std::size_t new_rows, std::size_t new_cols) const;  // of a part that is not transposed
  TensorPart slice(std::size_t first_row, std::size_t count) const;
  TensorPart transposed() const;
  // Row or column i is order[i] of before.
  TensorPart with_rows(Order order) const;
  TensorPart with_cols(Order order) const;
  TensorPart scaled(float by) const;
};

/// A tensor of zeros.
TensorPart zeros(std::size_t rows, std::size_t cols);

/// The type that holds all parts as the checkpoint stores them: theirs if it is the same, else F32. FP8
/// counts as BF16 where that holds every product with a scale, else as F32.
Dtype stored_type(std::span<const TensorPart> parts);

/// Values in the encoding of a type; name: of the tensor. Error: kBadNumbers for one that the type cannot
/// hold.
Result<void> encode_values(const std::string& name, Dtype type, std::span<const float> values,
                           std::byte* out);

/// The tensor `name` of type `to` whose rows are those of the parts, one after the other. Errors: kBadNumbers
/// naming an element that is not finite, or a value that `to` cannot hold; those of reading.
TensorSource source_of(std::shared_ptr<const SafeTensors> from, std::string name, Dtype to,
                       std::vector<TensorPart> parts);

}  // namespace partita::internal
