#include "sampling/softmax/row.h"

#include <cmath>
#include <limits>
#include <string>

#include "engine/kernels/dispatch.h"
#include "engine/kernels/self_test.h"
#include "sampling/chain/numbers.h"
#include "weights/sentence.h"

namespace partita::internal {

Result<Peak> find_peak(std::span<const float> logits, const Kernels& kernels) {
  Peak peak{-std::numeric_limits<float>::infinity(), 0};
  bool nan = false;
  for_softmax_tiles(logits.size(), [&](std::size_t first, std::size_t n) {
    const float most = kernels.max(logits.data() + first, n);
    nan = nan || most != most;
    if (most > peak.max) peak = {most, first};
  });
  if (nan || !std::isfinite(peak.max)) return bad_logits(logits);
  return peak;
}

Result<void> check_sizes(std::size_t in, std::size_t out) {
  if (in == out) return {};
  return invalid("the output has room for ", out, " values, but there are ", in, " logits");
}

Result<const Kernels*> family_kernels() {
  static const Result<TestedKernels> tested = [] {
    const Result<Isa> isa = choose_isa();
    return isa ? test_kernels(*isa, isa_is_forced(), {}) : Result<TestedKernels>(isa.error());
  }();
  if (!tested) return tested.error();
  return tested->table;
}

}  // namespace partita::internal
