#include "engine/kernels/kernels.h"

#include "engine/kernels/tables.h"

namespace partita::internal {

std::size_t matmul_scratch_bytes(std::size_t cols) {
  // A panel as 16 floats per column, a row of floats, and for quantized types 16 scales, minima and sums of
  // products per group.
  return cols * (kPanelRows + 1) * sizeof(float) + (cols / 16 + 1) * 3 * kPanelRows * sizeof(float) + 64;
}

const Kernels& kernels(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2:
      return kAvx2Kernels;
    case Isa::kAvx512:
      return kAvx512Kernels;
    case Isa::kVnni:
    case Isa::kAmx:
      return kVnniKernels;
    case Isa::kAmxEmulated:
      return can_run(Isa::kVnni) ? kVnniKernels : kAvx512Kernels;
    case Isa::kVnniWinograd:
      return kVnniWinogradKernels;
#elif defined(__aarch64__)
    case Isa::kNeon:
      return kNeonKernels;
    case Isa::kNeonDot:
      return kNeonDotKernels;
#endif
    default:
      return kScalarKernels;
  }
}

const Kernels& exact_kernels() { return kExactKernels; }

}  // namespace partita::internal
