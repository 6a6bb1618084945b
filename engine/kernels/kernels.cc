#include "engine/kernels/kernels.h"

namespace partita::internal {

std::size_t matmul_scratch_bytes(std::size_t cols) {
  // A panel as 16 floats per column, a row of floats, and for quantized types 16 scales, minima and sums of
  // products per group.
  return cols * (kPanelRows + 1) * sizeof(float) + (cols / 16 + 1) * 3 * kPanelRows * sizeof(float) + 64;
}

}  // namespace partita::internal
