// The kernel tables of the runtime dispatch; each is defined in the file of its instruction set.
#pragma once

#include "engine/kernels/kernels.h"

namespace partita::internal {

extern const Kernels kScalarKernels;
extern const Kernels kExactKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kVnniKernels;
extern const Kernels kVnniWinogradKernels;
#elif defined(__aarch64__)
extern const Kernels kNeonKernels;
extern const Kernels kNeonDotKernels;
#endif

}  // namespace partita::internal
