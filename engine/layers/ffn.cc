#include "engine/layers/ffn.h"

#include <cstddef>

#include "engine/layers/products.h"

namespace partita::internal {

void feed(const Worker& worker, Workspace& ws, const Norm& norm, FloatBuffer& rows, const Ffn& ffn) {
  const Activations x = normed(worker, ws, norm, rows, {&ffn.up, &ffn.gate});
  multiply(worker, ws, x, {{ffn.gated() ? ffn.gate : ffn.up, ws.gate}});
  if (ffn.gated()) multiply(worker, ws, x, {{ffn.up, ws.up}});
  const auto [from, to] = own_columns(worker, ws, ffn.up.weight);
  for (std::size_t r = 0; r < ws.rows.size(); ++r) {
    float* gate = ws.gate.row(r, ffn.width()) + from;
    const float* up = ffn.gated() ? ws.up.row(r, ffn.width()) : ws.ones.data();
    ws.model.kernels().gate(ffn.activation, gate, up + from, to - from, gate);
  }
}

}  // namespace partita::internal
