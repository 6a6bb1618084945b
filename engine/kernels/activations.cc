#include "engine/kernels/activations.h"

namespace partita::internal {

Activations Activations::from(std::size_t first) const {
  const std::size_t groups = cols / kGroupCols;
  return {.rows = rows - first,
          .cols = cols,
          .values = values + first * cols,
          .q = q + first * quant_stride(cols),
          .scale = scale + first,
          .sum = sum + first * groups,
          .crossed = crossed + first * groups};
}

ActivationBuffer::ActivationBuffer(std::size_t rows, std::size_t cols)
    : values_(rows * cols * sizeof(float)),
      q_(rows * (cols + 32) * sizeof(std::int16_t)),
      scale_(rows * sizeof(float)),
      sum_(rows * (cols / kGroupCols + 1) * sizeof(float)),
      crossed_(rows * (cols / kGroupCols + 1) * sizeof(std::int32_t)) {}

Activations ActivationBuffer::view(std::size_t rows, std::size_t cols) {
  return {.rows = rows,
          .cols = cols,
          .values = values(),
          .q = reinterpret_cast<std::int16_t*>(q_.data()),
          .scale = reinterpret_cast<float*>(scale_.data()),
          .sum = reinterpret_cast<float*>(sum_.data()),
          .crossed = reinterpret_cast<std::int32_t*>(crossed_.data())};
}

bool ActivationBuffer::ok() const {
  for (const AlignedBytes* bytes : {&values_, &q_, &scale_, &sum_, &crossed_}) {
    if (bytes->data() == nullptr) return false;
  }
  return true;
}

}  // namespace partita::internal
