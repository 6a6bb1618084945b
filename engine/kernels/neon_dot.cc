// NEON with byte dot products. Compiled with exactly those flags (engine/CMakeLists.txt).
#include "engine/kernels/simd_neon_dot.h"
// Included after the type whose panels it reads:
#include "engine/kernels/matmul_bytes.h"
#include "engine/kernels/table_simd.h"
#include "engine/kernels/tables.h"

namespace partita::internal {

constinit const Kernels kNeonDotKernels = make_table<NeonDot>();

}  // namespace partita::internal
