// AVX2, FMA, F16C. Compiled with exactly those flags (engine/CMakeLists.txt).
#include "engine/kernels/simd_avx2.h"
#include "engine/kernels/table_simd.h"
#include "engine/kernels/tables.h"

namespace partita::internal {

constinit const Kernels kAvx2Kernels = make_table<Avx2>();

}  // namespace partita::internal
