// AVX-512 with VNNI: the pair product and its sum in one instruction. It computes the same integers, so its
// bits are those of AVX-512.
#include <immintrin.h>

#include "engine/kernels/simd_avx512.h"
#include "engine/kernels/simd_vnni.h"
#include "engine/kernels/table_simd.h"
#include "engine/kernels/tables.h"

namespace partita::internal {

constinit const Kernels kVnniKernels = make_table<Vnni>();

}  // namespace partita::internal
