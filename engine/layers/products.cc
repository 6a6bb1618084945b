#include "engine/layers/products.h"

#include "engine/number_watch.h"

namespace partita::internal {
namespace {

/// The worker's panels [first, last) of `panels`.
std::pair<std::size_t, std::size_t> own_panels(const Worker& worker, const Workspace& ws,
                                               std::size_t panels) {
  return worker.share(panels, ws.tiled_rows > 0 ? TileProducts::kSliceRows / kPanelRows : 1);
}

/// Adds the bias of columns [first, last) to all rows. The last panel may be padded beyond the bias.
void add_bias(Workspace& ws, const Linear& linear, std::size_t first, std::size_t last, FloatBuffer& out) {
  const std::size_t count = std::min(last, linear.bias.size()) - first;
  for (std::size_t r = 0; r < ws.rows.size(); ++r)
    ws.model.kernels().add(linear.bias.data() + first, count, out.row(r, linear.weight.rows) + first);
}

}  // namespace

std::pair<std::size_t, std::size_t> own_columns(const Worker& worker, const Workspace& ws,
                                                const PackedMatrix& matrix) {
  const auto [first, last] = own_panels(worker, ws, matrix.panels());
  return {std::min(first * kPanelRows, matrix.rows), std::min(last * kPanelRows, matrix.rows)};
}

void multiply(const Worker& worker, Workspace& ws, const Activations& x,
              std::initializer_list<Product> products) {
  std::size_t panels = 0;
  for (const Product& p : products) panels += p.linear.weight.panels();
  const auto [first, last] = own_panels(worker, ws, panels);
  std::byte* scratch = ws.matmul[static_cast<std::size_t>(worker.index)].data();
  const std::size_t tiled = ws.tiled_rows;
  std::size_t begin = 0;  // of this product in the list
  for (const auto& [linear, out] : products) {
    const PackedMatrix& matrix = linear.weight;
    const std::size_t end = begin + matrix.panels();
    const std::size_t from = std::clamp(first, begin, end) - begin, to = std::clamp(last, begin, end) - begin;
    begin = end;
    if (from == to) continue;
    if (tiled > 0 && !ws.tiles->multiply(worker.index, matrix, from, to, tiled, out.row(0), matrix.rows)) {
      ws.failed.store(true, std::memory_order_relaxed);
    }
    if (tiled < x.rows) {
      ws.model.kernels().matmul(matrix, {from, to}, x.from(tiled), out.row(tiled, matrix.rows), matrix.rows,
                                scratch);
    }
    if (!linear.bias.empty()) add_bias(ws, linear, from * kPanelRows, to * kPanelRows, out);
    if (ws.adapted) add_adapters(worker, ws, linear, {from, to}, x, out.row(0));
  }
  if (ws.watch == nullptr) return;
  for (const auto& [linear, out] : products) {
    ws.watch->input(worker, linear, x.values, x.rows, x.cols, 0, 1);
    ws.watch->look(worker, ws, "the product with " + linear.name, out.row(0), x.rows, linear.weight.rows);
  }
}

void add_adapters(const Worker& worker, Workspace& ws, const Linear& linear, PanelRange panels,
                  const Activations& x, float* out, std::span<const std::uint32_t> rows_of) {
  const auto adapters_of = [&](std::size_t r) {
    return ws.rows[rows_of.empty() ? r : rows_of[r]].sequence->adapters();
  };
  const std::size_t ld = linear.weight.rows;
  for (std::size_t r = 0, end = 0; r < x.rows; r = end) {
    const AdapterSet* const set = adapters_of(r);
    for (end = r + 1; end < x.rows && adapters_of(end) == set;) ++end;
    if (set == nullptr || linear.index == Linear::kFixed) continue;
    add_changes(ws.model.kernels(), *set, linear, x.values + r * x.cols, end - r, panels, out + r * ld, ld,
                ws.adapter_scratch[static_cast<std::size_t>(worker.index)]);
  }
}

void apply(const Workspace& ws, const Norm& norm, const float* x, float* y) {
  if (norm.empty()) {
    std::copy_n(x, ws.x.cols(), y);
    return;
  }
  norm.apply(ws.model.kernels(), x, y);
}

Activations normed(const Worker& worker, Workspace& ws, const Norm& norm, FloatBuffer& rows,
                   std::initializer_list<const Linear*> users) {
  const Activations x = make_activations(
      worker, ws, users, nullptr, [&](std::size_t r, float* out) { apply(ws, norm, rows.row(r), out); });
  if (ws.watch != nullptr) ws.watch->look(worker, ws, "the norm " + norm.name, x.values, x.rows, x.cols);
  return x;
}

Activations activations_of(const Worker& worker, Workspace& ws, const Linear& user, FloatBuffer& rows) {
  return make_activations(worker, ws, {&user}, rows.row(0), [](std::size_t, float*) {});
}

}  // namespace partita::internal
