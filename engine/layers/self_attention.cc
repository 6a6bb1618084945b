#include "engine/layers/self_attention.h"

#include <algorithm>
#include <cstddef>

#include "engine/layers/attention.h"
#include "engine/layers/products.h"
#include "engine/number_watch.h"

namespace partita::internal {
namespace {

void limit(float most, std::size_t n, float* x) {
  if (most <= 0) return;
  for (std::size_t i = 0; i < n; ++i) x[i] = x[i] > most ? most : x[i] < -most ? -most : x[i];  // keeps NaN
}

void scale_values(float by, std::size_t n, float* x) {
  for (std::size_t i = 0; by != 1 && i < n; ++i) x[i] *= by;
}

/// Where a head of queries or keys is: x[width], of row r of the step.
struct Head {
  std::size_t r = 0, index = 0;
  float* x = nullptr;
};

/// Applies the limit, the norm and RoPE of queries or keys to one head, in place.
void norm_and_rope(Workspace& ws, const Attention& a, const Norm& norm, const Head& head) {
  const Kernels& kernels = ws.model.kernels();
  limit(a.clamp, a.widths.key, head.x);
  const bool norms = norm.width() == a.widths.key;
  const std::size_t group = norm.groups > 1 ? head.index : 0;
  if (norms && !a.rope_first) norm.apply(kernels, head.x, head.x, group);
  if (a.rope != kNoRope)
    kernels.rope(head.x, ws.cos[a.rope].row(head.r), ws.sin[a.rope].row(head.r), ws.cos[a.rope].cols());
  if (norms && a.rope_first) norm.apply(kernels, head.x, head.x, group);
}

/// Applies a norm of whole projections to the queries or keys of all rows. One of single heads is left to
/// norm_and_rope().
void norm_projection(const Worker& worker, Workspace& ws, const Attention& a, const Norm& norm,
                     FloatBuffer& rows) {
  if (norm.empty() || norm.width() == a.widths.key) return;
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
    norm_and_rope(ws, a, a.q_norm, {r, head, ws.q.row(r, a.q_width()) + head * a.widths.key});
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

/// The value of a head of K and V, given its key before norm and RoPE, which may change after. spare:
/// [kMaxHeadDim].
const float* value_of(Workspace& ws, const Attention& a, std::size_t r, std::size_t head, const float* key,
                      float* spare) {
  const bool own = a.v.weight.rows != 0;
  const float* value = own ? ws.v.row(r, a.v_width()) + head * a.widths.value : key;
  if (a.v_norm.empty() && own) return value;
  if (a.v_norm.empty()) return std::copy_n(value, a.widths.value, spare) - a.widths.value;
  apply(ws, a.v_norm, value, spare);
  return spare;
}

/// Appends the keys and values of all rows to the KV cache.
void append_keys(const Worker& worker, Workspace& ws, const Attention& a) {
  if (a.kv_layer) return;
  norm_projection(worker, ws, a, a.k_norm, ws.k);
  PaddedHead padded_key, padded_value;
  float spare[kMaxHeadDim];
  const auto [first, last] = worker.share(ws.rows.size() * a.kv.heads);
  for (std::size_t i = first; i < last; ++i) {
    const std::size_t r = i / a.kv.heads, head = i % a.kv.heads;
    float* key = ws.k.row(r, a.k_width()) + head * a.widths.key;
    float* own_value = ws.v.row(r, a.v_width()) + head * a.widths.value;
    limit(a.clamp, a.widths.value, own_value);
    scale_values(a.value_scale, a.widths.value, own_value);
    const float* value = value_of(ws, a, r, head, key, spare);
    norm_and_rope(ws, a, a.k_norm, {r, head, key});
    const StepRow& row = ws.rows[r];
    const KvPool& pool = row.sequence->pool();
    std::byte* page = row.sequence->page(pool.class_of(a.state), row.position / kPageTokens);
    ws.model.kernels().append(pool.type(), padded_key.of(key, a.widths.key, a.kv.widths.key),
                              padded_value.of(value, a.widths.value, a.kv.widths.value), a.kv.widths,
                              static_cast<int>(row.position % kPageTokens),
                              page + pool.k_offset(a.state, head), page + pool.v_offset(a.state, head));
  }
}

void project_heads(const Worker& worker, Workspace& ws, const Norm& pre, const Attention& a) {
  const Activations x = normed(worker, ws, pre, ws.x, {&a.q, &a.k, &a.v, &a.gate});
  multiply(worker, ws, x, {{a.q, ws.q}, {a.k, ws.k}, {a.v, ws.v}, {a.gate, ws.gate}});
  worker.wait();
  append_keys(worker, ws, a);
  finish_queries(worker, ws, a);
}

/// In the last layer: keys and values of every row, but queries only of the rows whose output is wanted. The
/// others leave the step.
void project_last(const Worker& worker, Workspace& ws, const Norm& pre, const Attention& a) {
  const Activations all = normed(worker, ws, pre, ws.x, {&a.k, &a.v});
  multiply(worker, ws, all, {{a.k, ws.k}, {a.v, ws.v}});
  worker.wait();
  append_keys(worker, ws, a);
  worker.wait();
  if (worker.index == 0) ws.keep_output_rows();
  worker.wait();
  const Activations outputs = normed(worker, ws, pre, ws.x, {&a.q, &a.gate});
  multiply(worker, ws, outputs, {{a.q, ws.q}, {a.gate, ws.gate}});
  worker.wait();
  finish_queries(worker, ws, a);
}

/// Queries; and keys and values, which the cache may hold as f16.
void look_at_heads(const Worker& worker, Workspace& ws, const Attention& a) {
  constexpr float kMaxF16 = 65504;
  const KvType type = ws.model.kv_type();
  const float most_key = bytes_of(kv_keys(type)) == 2 ? kMaxF16 : 0,
              most_value = bytes_of(kv_values(type)) == 2 ? kMaxF16 : 0;
  ws.watch->look(worker, ws, "queries, after norm and RoPE", ws.q.row(0), ws.rows.size(), a.q_width());
  ws.watch->look(worker, ws, "keys in the cache", ws.k.row(0), ws.rows.size(), a.k_width(), most_key);
  ws.watch->look(worker, ws, "values in the cache", ws.v.row(0), ws.rows.size(), a.v_width(), most_value);
}

}  // namespace

void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Attention& a, bool outputs_only) {
  if (worker.index == 0) ws.next_unit = 0;
  (outputs_only ? project_last : project_heads)(worker, ws, pre, a);
  worker.wait();
  if (ws.watch != nullptr) look_at_heads(worker, ws, a);
  attend(worker, ws, ws.plan_of(a, outputs_only), a, ws.mixed);
}

}  // namespace partita::internal
