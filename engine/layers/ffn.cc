#include "engine/layers/ffn.h"

#include <cmath>
#include <cstddef>

#include "engine/layers/products.h"

namespace partita::internal {

namespace {

/// Gates below the cutoff of their row become 0. Their rows are complete on return.
void cut_gates(const Worker& worker, Workspace& ws, const Ffn& ffn) {
  worker.wait();
  const std::size_t n = ffn.width();
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    float* const gate = ws.gate.row(r, n);
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(gate[i]);
    const double mean = sum / static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) {
      const double off = static_cast<double>(gate[i]) - mean;
      squares += off * off;
    }
    const double deviation = std::sqrt(squares / static_cast<double>(n));
    const auto least = static_cast<float>(mean + static_cast<double>(ffn.cutoff) * deviation);
    for (std::size_t i = 0; i < n; ++i) gate[i] = gate[i] <= least ? 0 : gate[i] - least;  // keeps NaN
  }
  worker.wait();
}

}  // namespace

void feed(const Worker& worker, Workspace& ws, const Norm& norm, FloatBuffer& rows, const Ffn& ffn) {
  const Activations x = normed(worker, ws, norm, rows, {&ffn.up, &ffn.gate});
  multiply(worker, ws, x, {{ffn.gated() ? ffn.gate : ffn.up, ws.gate}});
  if (ffn.gated()) multiply(worker, ws, x, {{ffn.up, ws.up}});
  if (std::isfinite(ffn.cutoff)) cut_gates(worker, ws, ffn);
  const auto [from, to] = own_columns(worker, ws, ffn.up.weight);
  for (std::size_t r = 0; r < ws.rows.size(); ++r) {
    float* gate = ws.gate.row(r, ffn.width()) + from;
    const float* up = ffn.gated() ? ws.up.row(r, ffn.width()) : ws.ones.data();
    ws.model.kernels().gate(ffn.activation, gate, up + from, to - from, gate);
  }
}

}  // namespace partita::internal
