// AVX-512 F, BW, DQ, VL. Compiled with exactly those flags (engine/CMakeLists.txt).
#include <immintrin.h>

#include "engine/kernels/simd_avx512.h"
#include "engine/kernels/table_simd.h"
#include "engine/kernels/tables.h"

namespace partita::internal {

constinit const Kernels kAvx512Kernels = make_table<Avx512>();

}  // namespace partita::internal
