#include "engine/block.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <utility>

#include "engine/layers/attention.h"
#include "engine/layers/layer.h"
#include "engine/layers/moe.h"

namespace partita::internal {
namespace {

/// A linear layer and where its rows go.
struct Product {
  const Linear& linear;
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

/// Adds the bias of columns [first, last) to all rows. The last panel may be padded beyond the bias.
void add_bias(Workspace& ws, const Linear& linear, std::size_t first, std::size_t last, FloatBuffer& out) {
  const std::size_t count = std::min(last, linear.bias.size()) - first;
  for (std::size_t r = 0; r < ws.rows.size(); ++r)
    ws.model.kernels().add(linear.bias.data() + first, count, out.row(r, linear.weight.rows) + first);
}

/// out = weight x + bias for each linear layer, in rows of its width; the workers share their panels as one
/// list.
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
  }
}

/// y = norm(x), or x itself where there is no norm. Precondition of an empty norm: x and y are rows of ws.x's
/// width.
void apply(const Workspace& ws, const Norm& norm, const float* x, float* y) {
  if (norm.empty()) {
    std::copy_n(x, ws.x.cols(), y);
    return;
  }
  ws.model.kernels().rms_norm(x, norm.weight.data(), norm.weight.size(), norm.eps, y);
}

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

/// norm(ws.x) in the forms that `users` are multiplied in.
Activations normed(const Worker& worker, Workspace& ws, const Norm& norm,
                   std::initializer_list<const Linear*> users) {
  return make_activations(worker, ws, users, nullptr,
                          [&](std::size_t r, float* out) { apply(ws, norm, ws.x.row(r), out); });
}

/// The rows of a buffer in the form that `user` is multiplied in.
Activations activations_of(const Worker& worker, Workspace& ws, const Linear& user, FloatBuffer& rows) {
  return make_activations(worker, ws, {&user}, rows.row(0), [](std::size_t, float*) {});
}

/// ws.x += scale * ws.y in columns [first, last) of row r.
void add_scaled(Workspace& ws, float scale, std::size_t r, std::size_t first, std::size_t last) {
  float* y = ws.y.row(r);
  if (scale != 1) {
    for (std::size_t i = first; i < last; ++i) y[i] *= scale;
  }
  ws.model.kernels().add(y + first, last - first, ws.x.row(r) + first);
}

/// ws.x += scale * norm(ws.y), in the worker's own rows.
void add_rows(const Worker& worker, Workspace& ws, const Norm& norm, float scale) {
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    if (!norm.empty()) apply(ws, norm, ws.y.row(r), ws.y.row(r));
    add_scaled(ws, scale, r, 0, ws.y.cols());
  }
}

/// ws.x += scale * norm(linear x), or without a norm ws.x += scale * linear x.
void add_to_residual(const Worker& worker, Workspace& ws, const Linear& linear, const Activations& x,
                     const Norm& norm, float scale) {
  multiply(worker, ws, x, {{linear, ws.y}});
  if (norm.empty()) {
    const auto [first, last] = own_columns(worker, ws, linear.weight);
    for (std::size_t r = 0; r < ws.rows.size(); ++r) add_scaled(ws, scale, r, first, last);
    return;
  }
  worker.wait();
  add_rows(worker, ws, norm, scale);
}

/// Applies the norm and RoPE of queries or keys to one head of a row, in place.
void norm_and_rope(Workspace& ws, const Attention& attention, const Norm& norm, std::size_t r, float* head) {
  if (norm.weight.size() == attention.widths.key) apply(ws, norm, head, head);
  if (attention.rope == kNoRope) return;
  ws.model.kernels().rope(head, ws.cos[attention.rope].row(r), ws.sin[attention.rope].row(r),
                          ws.cos[attention.rope].cols());
}

/// Applies a norm of whole projections to the queries or keys of all rows. One of single heads is left to
/// norm_and_rope().
void norm_projection(const Worker& worker, Workspace& ws, const Attention& a, const Norm& norm,
                     FloatBuffer& rows) {
  if (norm.empty() || norm.weight.size() == a.widths.key) return;
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    float* row = rows.row(r, norm.weight.size());
    apply(ws, norm, row, row);
  }
  worker.wait();
}

/// Prepares the queries of all rows for attend().
void finish_queries(const Worker& worker, Workspace& ws, const Attention& a) {
  norm_projection(worker, ws, a, a.q_norm, ws.q);
  const auto [first, last] = worker.share(ws.rows.size() * a.heads);
  for (std::size_t i = first; i < last; ++i) {
    const std::size_t r = i / a.heads, head = i % a.heads;
    norm_and_rope(ws, a, a.q_norm, r, ws.q.row(r, a.q_width()) + head * a.widths.key);
  }
}

/// A head that is followed by zeros up to its padded width.
class PaddedHead {
 public:
  const float* of(const float* head, std::size_t width, std::size_t padded) {
    if (width == padded) return head;
    std::copy_n(head, width, copy_);
    std::fill(copy_ + width, copy_ + padded, 0.0F);
    return copy_;
  }

 private:
  float copy_[kMaxHeadDim];
};

/// Appends the keys and values of all rows to the KV cache.
void append_keys(const Worker& worker, Workspace& ws, const Attention& a, std::size_t index) {
  norm_projection(worker, ws, a, a.k_norm, ws.k);
  PaddedHead padded_key, padded_value;
  const auto [first, last] = worker.share(ws.rows.size() * a.kv.heads);
  for (std::size_t i = first; i < last; ++i) {
    const std::size_t r = i / a.kv.heads, head = i % a.kv.heads;
    float* key = ws.k.row(r, a.k_width()) + head * a.widths.key;
    const float* value = ws.v.row(r, a.v_width()) + head * a.widths.value;
    norm_and_rope(ws, a, a.k_norm, r, key);
    const StepRow& row = ws.rows[r];
    const KvPool& pool = row.sequence->pool();
    std::byte* page = row.sequence->page(pool.class_of(index), row.position / kPageTokens);
    ws.model.kernels().append(pool.type(), padded_key.of(key, a.widths.key, a.kv.widths.key),
                              padded_value.of(value, a.widths.value, a.kv.widths.value), a.kv.widths,
                              static_cast<int>(row.position % kPageTokens), page + pool.k_offset(index, head),
                              page + pool.v_offset(index, head));
  }
}

void project(const Worker& worker, Workspace& ws, const Layer& layer, std::size_t index) {
  const Attention& a = layer.attention;
  const Activations x = normed(worker, ws, layer.pre, {&a.q, &a.k, &a.v});
  multiply(worker, ws, x, {{a.q, ws.q}, {a.k, ws.k}, {a.v, ws.v}});
  worker.wait();
  append_keys(worker, ws, a, index);
  finish_queries(worker, ws, a);
}

/// In the last layer: keys and values of every row, but queries only of the rows whose output is wanted. The
/// others leave the step.
void project_last(const Worker& worker, Workspace& ws, const Layer& layer, std::size_t index) {
  const Attention& a = layer.attention;
  const Activations all = normed(worker, ws, layer.pre, {&a.k, &a.v});
  multiply(worker, ws, all, {{a.k, ws.k}, {a.v, ws.v}});
  worker.wait();
  append_keys(worker, ws, a, index);
  worker.wait();
  if (worker.index == 0) ws.keep_output_rows();
  worker.wait();
  const Activations outputs = normed(worker, ws, layer.pre, {&a.q});
  multiply(worker, ws, outputs, {{a.q, ws.q}});
  worker.wait();
  finish_queries(worker, ws, a);
}

/// ws.attention = attention of all rows, before the output matrix.
void mix(const Worker& worker, Workspace& ws, const Layer& layer, std::size_t index) {
  if (worker.index == 0) ws.next_unit = 0;
  const bool is_last = index + 1 == ws.model.layers().size() && ws.output_rows.size() < ws.rows.size();
  (is_last ? project_last : project)(worker, ws, layer, index);
  worker.wait();
  const std::vector<AttentionPlan>& plans = is_last ? ws.output_plans : ws.attention_plans;
  attend(worker, ws, plans[ws.plan_of[index]], index);
}

/// ws.gate = activation(gate x) * up x, or activation(up x) without a gate, in the worker's own columns.
void feed(const Worker& worker, Workspace& ws, const Ffn& ffn, const Activations& x) {
  multiply(worker, ws, x, {{ffn.gated() ? ffn.gate : ffn.up, ws.gate}});
  if (ffn.gated()) multiply(worker, ws, x, {{ffn.up, ws.up}});
  const auto [from, to] = own_columns(worker, ws, ffn.up.weight);
  for (std::size_t r = 0; r < ws.rows.size(); ++r) {
    float* gate = ws.gate.row(r, ffn.width()) + from;
    const float* up = ffn.gated() ? ws.up.row(r, ffn.width()) : ws.ones.data();
    ws.model.kernels().gate(ffn.activation, gate, up + from, to - from, gate);
  }
}

/// ws.x += scale * ffn_post(ffn(ffn_pre(ws.x))).
void feed_forward(const Worker& worker, Workspace& ws, const Layer& layer) {
  if (const auto* moe = std::get_if<Moe>(&layer.ffn)) {
    mix_experts(worker, ws, layer.ffn_pre, *moe);
    return add_rows(worker, ws, layer.ffn_post, layer.residual_scale);
  }
  const Ffn& ffn = std::get<Ffn>(layer.ffn);
  const Activations x = normed(worker, ws, layer.ffn_pre, {&ffn.up, &ffn.gate});
  feed(worker, ws, ffn, x);
  worker.wait();
  const Activations fed = activations_of(worker, ws, ffn.down, ws.gate);
  add_to_residual(worker, ws, ffn.down, fed, layer.ffn_post, layer.residual_scale);
}

}  // namespace

void run_block(const Worker& worker, Workspace& ws, std::size_t index) {
  const Layer& layer = ws.model.layers()[index];
  const Attention& attention = layer.attention;
  mix(worker, ws, layer, index);
  worker.wait();
  const Activations mixed = activations_of(worker, ws, attention.out, ws.attention);
  add_to_residual(worker, ws, attention.out, mixed, layer.post, layer.residual_scale);
  worker.wait();
  feed_forward(worker, ws, layer);
  worker.wait();
}

}  // namespace partita::internal
