#include "engine/kernels/trial.h"

#include <algorithm>
#include <chrono>

namespace partita::internal {

const Kernels& faster(const Kernels& a, const Kernels& b) {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t kOutputs = 64, kCols = 1024, kRows = 32;
  constexpr int kRounds = 12;

  PanelArena arena;
  const Result<PackedMatrix> w = allocate_panels(Dtype::kQ4_0, kOutputs, kCols, arena);
  ActivationBuffer buffer(kRows, kCols);
  AlignedBytes y(kRows * kOutputs * sizeof(float)), scratch(matmul_scratch_bytes(kCols));
  if (!w || !buffer.ok() || y.data() == nullptr || scratch.data() == nullptr) return a;
  const Activations x = buffer.view(kRows, kCols);

  Clock::duration best[2] = {Clock::duration::max(),
                             Clock::duration::max()};  // the shortest times are undisturbed
  for (int round = 0; round < kRounds; ++round) {
    const int which = round % 2;
    const Kernels& table = which == 0 ? a : b;
    table.quantize(x, 0, kRows);  // each table prepares the input of its own products
    const Clock::time_point start = Clock::now();
    table.matmul(*w, {0, w->panels()}, x, reinterpret_cast<float*>(y.data()), kOutputs, scratch.data());
    best[which] = std::min<Clock::duration>(best[which], Clock::now() - start);
  }
  return best[1] < best[0] ? b : a;
}

}  // namespace partita::internal
