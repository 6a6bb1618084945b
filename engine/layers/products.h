// Matrix products of a step: activations in the forms that weights are multiplied in, and the share of each
// worker.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>

#include "engine/kernels/activations.h"
#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// A linear layer and where its rows go.
struct Product {
  const Linear& linear;
  FloatBuffer& out;
};

/// Columns of the product with `matrix` that come from the worker's panels, if it is multiplied alone.
std::pair<std::size_t, std::size_t> own_columns(const Worker& worker, const Workspace& ws,
                                                const PackedMatrix& matrix);

/// out = weight x + bias for each linear layer, in rows of its width; the workers share their panels as one
/// list.
void multiply(const Worker& worker, Workspace& ws, const Activations& x,
              std::initializer_list<Product> products);

/// Adds the changes of the rows' adapters to panels [first, last) of a product with x, whose rows are the
/// step's, or rows_of[0], rows_of[1], ... of them. out: [rows of x][rows of the matrix].
void add_adapters(const Worker& worker, Workspace& ws, const Linear& linear, PanelRange panels,
                  const Activations& x, float* out, std::span<const std::uint32_t> rows_of = {});

/// y = norm(x), or x itself where there is no norm. Precondition of an empty norm: x and y are rows of ws.x's
/// width.
void apply(const Workspace& ws, const Norm& norm, const float* x, float* y);

/// Activations of all rows of the step, [rows][cols], in every form that the products with `users` need; all
/// `users` have the same number of columns. fill(r, row) writes the values of row r; if `values` holds them
/// already, fill does nothing. With few rows every worker makes its own copy; otherwise the workers share the
/// rows and wait at a barrier.
template <class Fill>
Activations make_activations(const Worker& worker, Workspace& ws, std::initializer_list<const Linear*> users,
                             float* values, Fill&& fill) {
  const std::size_t rows = ws.rows.size(), cols = (*users.begin())->weight.cols, tiled = ws.tiled_rows;
  const bool quantized =
      std::any_of(users.begin(), users.end(), [](const Linear* l) { return l->weight.quantized(); });
  const bool redundant = rows <= kMaxRedundantRows && tiled == 0;
  ActivationBuffer& buffer =
      redundant ? ws.own_activations[static_cast<std::size_t>(worker.index)] : ws.shared_activations;
  Activations x = buffer.view(rows, cols);
  if (values == nullptr) values = buffer.values();
  x.values = values;
  const auto [first, last] = redundant ? std::pair{std::size_t{0}, rows} : worker.share(rows);
  for (std::size_t r = first; r < last; ++r) {
    fill(r, values + r * cols);
    if (quantized && r >= tiled) ws.model.kernels().quantize(x, r, r + 1);
  }
  if (first < tiled) ws.tiles->convert_rows(values, tiled, cols, first, std::min(last, tiled));
  if (!redundant) worker.wait();
  return x;
}

/// norm(rows of ws.x's width) in the forms that `users` are multiplied in.
Activations normed(const Worker& worker, Workspace& ws, const Norm& norm, FloatBuffer& rows,
                   std::initializer_list<const Linear*> users);

/// The rows of a buffer in the form that `user` is multiplied in.
Activations activations_of(const Worker& worker, Workspace& ws, const Linear& user, FloatBuffer& rows);

}  // namespace partita::internal
