#include "engine/layers/attention_and_mamba2.h"

#include <cstddef>

#include "engine/layers/mamba2.h"
#include "engine/layers/products.h"
#include "engine/layers/self_attention.h"

namespace partita::internal {

void mix(const Worker& worker, Workspace& ws, const Norm& pre, const AttentionAndMamba2& m,
         bool outputs_only) {
  mix(worker, ws, pre, m.mamba2, false);
  worker.wait();
  const Activations mixed = activations_of(worker, ws, m.mamba2.out, ws.mixed);
  multiply(worker, ws, mixed, {{m.mamba2.out, ws.input}});
  worker.wait();
  mix(worker, ws, pre, m.attention, outputs_only);
  // Attention has read ws.x before its barriers.
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    const std::size_t from = outputs_only ? ws.output_rows[r] : r;
    ws.model.kernels().add(ws.input.row(from), ws.x.cols(), ws.x.row(r));
  }
}

}  // namespace partita::internal
