#include "engine/kernels/portable.h"

#include "engine/kernels/elementwise_simd.h"

namespace partita::internal {

double portable_exp_sum(const float* x, std::size_t n, float shift, double scale, float* y) {
  return exp_sum<Portable>(x, n, shift, scale, y);
}

}  // namespace partita::internal
