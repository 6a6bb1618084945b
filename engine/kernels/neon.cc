// NEON, which every aarch64 processor has.
#include "engine/kernels/simd_neon.h"
#include "engine/kernels/table_simd.h"
#include "engine/kernels/tables.h"

namespace partita::internal {

constinit const Kernels kNeonKernels = make_table<Neon>();

}  // namespace partita::internal
