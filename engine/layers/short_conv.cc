#include "engine/layers/short_conv.h"

#include "engine/layers/products.h"

namespace partita::internal {
namespace {

/// ws.mixed = c * conv(b * x) in columns [first, last), from the rows of `in`.
void filter(Workspace& ws, const ShortConv& m, const QueryRange& rows, std::size_t first, std::size_t last) {
  const std::size_t columns = m.conv.columns, stride = m.projection_width();
  float* const begin = ws.q.row(rows.row, stride);
  float* const x = begin + 2 * columns;
  for (std::size_t t = 0; t < rows.tokens; ++t) {
    const float* b = begin + t * stride;
    for (std::size_t i = first; i < last; ++i) x[t * stride + i] *= b[i];
  }
  const StateStep step = ws.rows[rows.row].sequence->state_step(m.state, rows.tokens);
  convolve(m.conv, step, 0, {x, stride, rows.tokens, first, last});
  for (std::size_t t = 0; t < rows.tokens; ++t) {
    const float* c = begin + t * stride + columns;
    float* out = ws.mixed.row(rows.row + t, columns);
    for (std::size_t i = first; i < last; ++i) out[i] = c[i] * x[t * stride + i];
  }
}

}  // namespace

void mix(const Worker& worker, Workspace& ws, const Norm& pre, const ShortConv& m, bool outputs_only) {
  const Activations x = normed(worker, ws, pre, ws.x, {&m.in});
  multiply(worker, ws, x, {{m.in, ws.q}});
  worker.wait();
  const auto [first, last] = worker.share(m.conv.columns);
  for (const QueryRange& rows : ws.sequences) filter(ws, m, rows, first, last);
  if (!outputs_only) return;
  worker.wait();
  if (worker.index == 0) ws.keep_output_rows(m.conv.columns);
}

}  // namespace partita::internal
