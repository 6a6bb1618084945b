#include "engine/layers/token_input.h"

#include <numbers>

#include "engine/layers/products.h"

namespace partita::internal {

void read_token_inputs(const Worker& worker, Workspace& ws, std::span<const std::uint32_t> tokens) {
  const TokenInputs& in = ws.model.token_inputs();
  if (in.width == 0) return;
  constexpr auto kHalf = std::numbers::sqrt2_v<float> / 2;
  const Activations x = normed(worker, ws, Norm{}, ws.x, {&in.projection});
  multiply(worker, ws, x, {{in.projection, ws.token_inputs}});
  worker.wait();
  const auto [first, last] = worker.share(ws.rows.size());
  float* const table_row = ws.table_rows.row(static_cast<std::size_t>(worker.index));
  for (std::size_t r = first; r < last; ++r) {
    float* const row = ws.token_inputs.row(r);
    unpack_row(in.table, tokens[r], table_row);
    for (std::size_t at = 0; at < in.table.cols; at += in.width) {
      apply(ws, in.norm, row + at, row + at);
      for (std::size_t i = at; i < at + in.width; ++i)
        row[i] = (row[i] + in.table_scale * table_row[i]) * kHalf;
    }
  }
  worker.wait();
}

void gate_token_input(const Worker& worker, Workspace& ws, const TokenInput& input, std::size_t index) {
  const std::size_t width = input.gate.weight.rows;
  const Activations x = normed(worker, ws, Norm{}, ws.x, {&input.gate});
  multiply(worker, ws, x, {{input.gate, ws.gate}});
  const auto [from, to] = own_columns(worker, ws, input.gate.weight);
  for (std::size_t r = 0; r < ws.rows.size(); ++r) {
    float* const gate = ws.gate.row(r, width) + from;
    const float* const of_token = ws.token_inputs.row(r) + index * width + from;
    ws.model.kernels().gate(input.activation, gate, of_token, to - from, gate);
  }
}

}  // namespace partita::internal
