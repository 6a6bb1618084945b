// AVX-512 with VNNI, with half of the multiplications in products of many rows. It computes the same
// integers, so its bits are those of VNNI.
#include <immintrin.h>

#include "engine/kernels/matmul_winograd.h"
#include "engine/kernels/simd_avx512.h"
#include "engine/kernels/simd_vnni.h"
#include "engine/kernels/table_simd.h"
#include "engine/kernels/tables.h"

namespace partita::internal {

constinit const Kernels kVnniWinogradKernels = make_table<VnniWinograd>();

}  // namespace partita::internal
