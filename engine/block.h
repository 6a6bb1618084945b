// The transformer block: one short function, run by all threads of a step together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <utility>

#include "engine/layers/attention.h"
#include "engine/workspace.h"

namespace partita {

/// ws.x += attention(norm(ws.x)); ws.x += ffn(norm(ws.x)), appending keys and values to the cache of every
/// row. After the last layer only the rows of ws.kept are left. Every worker calls it with the same
/// arguments; on return all of them have passed the last barrier.
void run_block(const Worker& worker, Workspace& ws, std::size_t layer);

/// Activations of all rows of the step, [rows][cols], in every form that `users`, matrices of as many
/// columns, are multiplied in. fill(r, row) writes the values of row r; or they stand in `values` already and
/// there is nothing to fill. With few rows every worker makes its own copy, otherwise they share the rows and
/// meet at a barrier.
template <class Fill>
Activations make_activations(const Worker& worker, Workspace& ws,
                             std::initializer_list<const PackedMatrix*> users, float* values, Fill&& fill) {
  const std::size_t rows = ws.rows.size(), cols = (*users.begin())->cols, tiled = ws.tiled_rows;
  const bool quantized = std::any_of(users.begin(), users.end(), [](auto* m) { return m->quantized(); });
  const bool redo = rows <= kRowsRedone && tiled == 0;
  ActivationBuffer& buffer = redo ? ws.own[static_cast<std::size_t>(worker.index)] : ws.shared;
  Activations x = buffer.view(rows, cols);
  if (values == nullptr) values = buffer.values();
  x.values = values;
  const auto [first, last] = redo ? std::pair{std::size_t{0}, rows} : worker.share(rows);
  for (std::size_t r = first; r < last; ++r) {
    fill(r, values + r * cols);
    if (quantized && r >= tiled) ws.model.kernels().quantize(x, r, r + 1);
  }
  if (first < tiled) ws.tiles->take_rows(values, tiled, cols, first, std::min(last, tiled));
  if (!redo) worker.wait();
  return x;
}

}  // namespace partita
