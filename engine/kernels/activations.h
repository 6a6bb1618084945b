// Rows of activations, float and quantized, as inputs of matrix products.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/panels.h"

namespace partita::internal {

/// The distance between rows of quantized activations. A tile reads a dozen rows side by side; if they were
/// whole kilobytes apart, they would compete for a few cache sets.
constexpr std::size_t quant_stride(std::size_t cols) { return cols % 1024 == 0 ? cols + 32 : cols; }

/// The largest magnitude of a quantized activation: the sum with a quant of any type (-128 .. 127) still fits
/// 16 bits (matmul_winograd.h).
inline constexpr float kMaxQuant = 32767 - 128;

/// A row whose largest magnitude is below this counts as zero (the inverse of its scale would overflow).
inline constexpr float kMinAmplitude = 1e-30F;

/// Rows of activations. A view; its creator owns the memory.
struct Activations {
  std::size_t rows = 0;
  std::size_t cols = 0;
  const float* values = nullptr;    // [rows][cols], for float panels and the exact mode
  std::int16_t* q = nullptr;        // [rows][quant_stride(cols)] in pair order (panels.h)
  float* scale = nullptr;           // [rows]: value ~ scale * q; NaN marks a row with NaN or inf
  float* sum = nullptr;             // [rows][cols / 32]: sum of q over each group, exact (below 2^24)
  std::int32_t* crossed = nullptr;  // [rows][cols / 32]: products within q (matmul_winograd.h)

  /// Rows [first, rows).
  Activations from(std::size_t first) const;
};

/// Memory behind Activations of up to `rows` rows and `cols` columns.
class ActivationBuffer {
 public:
  ActivationBuffer() = default;
  ActivationBuffer(std::size_t rows, std::size_t cols);
  Activations view(std::size_t rows, std::size_t cols);
  float* values() { return reinterpret_cast<float*>(values_.data()); }
  bool ok() const;

 private:
  AlignedBytes values_, q_, scale_, sum_, crossed_;
};

}  // namespace partita::internal
