#include "engine/block.h"

#include <algorithm>
#include <initializer_list>

namespace partita {
namespace {

/// A product and where its rows go.
struct Product {
  const PackedMatrix& matrix;
  FloatBuffer& out;
};

/// The worker's panels [first, last) of `panels`.
std::pair<std::size_t, std::size_t> own_panels(const Worker& worker, const Workspace& ws,
                                               std::size_t panels) {
  return worker.share(panels, ws.tiled_rows > 0 ? TileProducts::kSliceRows / kPanelRows : 1);
}

/// Columns of the product that come from the worker's panels.
std::pair<std::size_t, std::size_t> own_columns(const Worker& worker, const Workspace& ws,
                                                const PackedMatrix& matrix) {
  const auto [first, last] = own_panels(worker, ws, matrix.panels());
  return {std::min(first * kPanelRows, matrix.rows), std::min(last * kPanelRows, matrix.rows)};
}

/// out = matrix x for each product, their panels shared out as one list.
void multiply(const Worker& worker, Workspace& ws, const Activations& x,
              std::initializer_list<Product> products) {
  std::size_t panels = 0;
  for (const Product& p : products) panels += p.matrix.panels();
  const auto [first, last] = own_panels(worker, ws, panels);
  std::byte* scratch = ws.matmul[static_cast<std::size_t>(worker.index)].data();
  const std::size_t tiled = ws.tiled_rows;
  std::size_t begin = 0;  // of this product in the list
  for (const auto& [matrix, out] : products) {
    const std::size_t end = begin + matrix.panels();
    const std::size_t from = std::clamp(first, begin, end) - begin, to = std::clamp(last, begin, end) - begin;
    begin = end;
    if (from == to) continue;
    if (tiled > 0 && !ws.tiles->multiply(worker.index, matrix, from, to, tiled, out.row(0), out.cols())) {
      ws.failed.store(true, std::memory_order_relaxed);
    }
    if (tiled < x.rows) {
      ws.model.kernels().matmul(matrix, {from, to}, x.from(tiled), out.row(tiled), out.cols(), scratch);
    }
  }
}

Activations normed(const Worker& worker, Workspace& ws, const Vector& weight,
                   std::initializer_list<const PackedMatrix*> users) {
  const Kernels& k = ws.model.kernels();
  return make_activations(worker, ws, users, nullptr, [&](std::size_t r, float* out) {
    k.rms_norm(ws.x.row(r), weight.data(), weight.size(), ws.model.config().norm_eps, out);
  });
}

/// The rows of a buffer, which has as many columns as `user`.
Activations taken(const Worker& worker, Workspace& ws, const PackedMatrix& user, FloatBuffer& from) {
  return make_activations(worker, ws, {&user}, from.row(0), [](std::size_t, float*) {});
}

/// ws.x += matrix x, with a norm in between where the family has one.
void add_product(const Worker& worker, Workspace& ws, const PackedMatrix& matrix, const Activations& x,
                 const Vector& post_norm) {
  const Kernels& k = ws.model.kernels();
  multiply(worker, ws, x, {{matrix, ws.y}});
  if (post_norm.empty()) {
    const auto [first, last] = own_columns(worker, ws, matrix);
    for (std::size_t r = 0; r < ws.rows.size(); ++r)
      k.add(ws.y.row(r) + first, last - first, ws.x.row(r) + first);
    return;
  }
  worker.wait();
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    k.rms_norm(ws.y.row(r), post_norm.data(), post_norm.size(), ws.model.config().norm_eps, ws.y.row(r));
    k.add(ws.y.row(r), post_norm.size(), ws.x.row(r));
  }
}

/// Norms and rotates one head of a row in place.
void turn(Workspace& ws, const Layer& layer, std::size_t r, float* head, const Vector& norm) {
  const Config& c = ws.model.config();
  const Kernels& k = ws.model.kernels();
  if (!norm.empty()) k.rms_norm(head, norm.data(), norm.size(), c.norm_eps, head);
  k.rope(head, ws.cos[layer.kind.rope].row(r), ws.sin[layer.kind.rope].row(r), c.head_dim / 2);
}

/// The queries of all rows, ready for attend().
void place_queries(const Worker& worker, Workspace& ws, const Layer& layer) {
  const Config& c = ws.model.config();
  const auto [first, last] = worker.share(ws.rows.size() * c.heads);
  for (std::size_t i = first; i < last; ++i) {
    const std::size_t r = i / c.heads;
    turn(ws, layer, r, ws.q.row(r) + i % c.heads * c.head_dim, layer.q_norm);
  }
}

/// Keys and values of all rows go into the cache.
void place_keys(const Worker& worker, Workspace& ws, const Layer& layer, std::size_t index) {
  const Config& c = ws.model.config();
  const auto [first, last] = worker.share(ws.rows.size() * c.kv_heads);
  for (std::size_t i = first; i < last; ++i) {
    const std::size_t r = i / c.kv_heads, head = i % c.kv_heads;
    float* key = ws.k.row(r) + head * c.head_dim;
    turn(ws, layer, r, key, layer.k_norm);
    const StepRow& row = ws.rows[r];
    const KvPool& pool = row.sequence->pool();
    std::byte* page = row.sequence->page(pool.class_of(index), row.position / kPageTokens);
    ws.model.kernels().append(pool.type(), key, ws.v.row(r) + head * c.head_dim, static_cast<int>(c.head_dim),
                              static_cast<int>(row.position % kPageTokens), page + pool.k_offset(index, head),
                              page + pool.v_offset(index, head));
  }
}

/// In the last layer: keys and values of every row, but queries only of the kept rows, which alone go on.
void project_last(const Worker& worker, Workspace& ws, const Layer& layer, std::size_t index) {
  const Activations all = normed(worker, ws, layer.attention_norm, {&layer.k, &layer.v});
  multiply(worker, ws, all, {{layer.k, ws.k}, {layer.v, ws.v}});
  worker.wait();
  place_keys(worker, ws, layer, index);
  worker.wait();
  if (worker.index == 0) ws.narrow();
  worker.wait();
  const Activations kept = normed(worker, ws, layer.attention_norm, {&layer.q});
  multiply(worker, ws, kept, {{layer.q, ws.q}});
  worker.wait();
  place_queries(worker, ws, layer);
}

void project(const Worker& worker, Workspace& ws, const Layer& layer, std::size_t index) {
  const Activations x = normed(worker, ws, layer.attention_norm, {&layer.q, &layer.k, &layer.v});
  multiply(worker, ws, x, {{layer.q, ws.q}, {layer.k, ws.k}, {layer.v, ws.v}});
  worker.wait();
  place_keys(worker, ws, layer, index);
  place_queries(worker, ws, layer);
}

}  // namespace

void run_block(const Worker& worker, Workspace& ws, std::size_t index) {
  const Layer& layer = ws.model.layers()[index];
  const Config& c = ws.model.config();

  if (worker.index == 0) ws.next_unit = 0;
  const bool narrows = index + 1 == c.layers && ws.kept.size() < ws.rows.size();
  (narrows ? project_last : project)(worker, ws, layer, index);
  worker.wait();
  attend(worker, ws, narrows ? ws.kept_attention : ws.attention_plan, index);
  worker.wait();
  const Activations seen = taken(worker, ws, layer.attention_out, ws.attention);
  add_product(worker, ws, layer.attention_out, seen, layer.attention_post_norm);
  worker.wait();

  const Activations h = normed(worker, ws, layer.ffn_norm, {&layer.gate, &layer.up});
  multiply(worker, ws, h, {{layer.gate, ws.gate}});
  multiply(worker, ws, h, {{layer.up, ws.up}});
  const auto [from, to] = own_columns(worker, ws, layer.gate);
  for (std::size_t r = 0; r < ws.rows.size(); ++r) {
    ws.model.kernels().gate(c.gate, ws.gate.row(r) + from, ws.up.row(r) + from, to - from,
                            ws.gate.row(r) + from);
  }
  worker.wait();
  const Activations gated = taken(worker, ws, layer.down, ws.gate);
  add_product(worker, ws, layer.down, gated, layer.ffn_post_norm);
  worker.wait();
}

}  // namespace partita
