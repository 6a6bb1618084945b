#include "engine/layers/mla.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "engine/layers/attention.h"
#include "engine/layers/products.h"
#include "engine/number_watch.h"

namespace partita::internal {
namespace {

/// Where the columns of heads are in the rows of a buffer.
struct HeadColumns {
  float* first;      // of head 0 in row 0
  std::size_t row;   // from one row to the next
  std::size_t head;  // from one head to the next
  float* at(std::size_t r, std::size_t h) const { return first + r * row + h * head; }
};

/// to = matrices[h] from, for every head h of all rows. The workers share the panels of all matrices as one
/// list; each makes the activations of its heads.
void multiply_heads(const Worker& worker, Workspace& ws, std::span<const Linear> matrices,
                    const HeadColumns& from, const HeadColumns& to) {
  const Kernels& kernels = ws.model.kernels();
  const auto own = static_cast<std::size_t>(worker.index);
  ActivationBuffer& buffer = ws.head_activations[own];
  const std::size_t rows = ws.rows.size(), panels = matrices.front().weight.panels();
  const auto [first, last] = worker.share(matrices.size() * panels);
  for (std::size_t h = first / panels; h * panels < last; ++h) {
    const PackedMatrix& matrix = matrices[h].weight;
    const std::size_t begin = h * panels;
    const PanelRange range{std::max(first, begin) - begin, std::min(last - begin, panels)};
    for (std::size_t r = 0; r < rows; r += kMaxHeadRows) {
      Activations x = buffer.view(std::min(kMaxHeadRows, rows - r), matrix.cols);
      x.values = buffer.values();
      for (std::size_t i = 0; i < x.rows; ++i) {
        std::copy_n(from.at(r + i, h), matrix.cols, buffer.values() + i * matrix.cols);
        if (matrix.quantized()) kernels.quantize(x, i, i + 1);
      }
      kernels.matmul(matrix, range, x, to.at(r, h), to.row, ws.matmul[own].data());
    }
  }
}

/// Rotates the last columns of a latent or of an absorbed query.
void rotate(Workspace& ws, const Mla& a, std::size_t r, float* row) {
  if (a.rope == kNoRope) return;
  FloatBuffer& cos = ws.cos[a.rope];
  ws.model.kernels().rope(row + a.widths.value, cos.row(r), ws.sin[a.rope].row(r), cos.cols());
}

/// Lets ws.watch, if there is one, look at the results of a norm.
void watch(const Worker& worker, const Workspace& ws, const Norm& norm, const float* values, std::size_t rows,
           std::size_t cols) {
  if (ws.watch != nullptr) ws.watch->look(worker, ws, "the norm " + norm.name, values, rows, cols);
}

/// Appends the normed and rotated latents of all rows to the cache.
void append_latents(const Worker& worker, Workspace& ws, const Mla& a) {
  const std::size_t width = a.kv.widths.key;
  float latent[kMaxHeadDim] = {};
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    float* const key = ws.k.row(r, a.widths.key);
    apply(ws, a.k_norm, key, key);
    std::copy_n(key, a.widths.key, latent);
    rotate(ws, a, r, latent);
    const StepRow& row = ws.rows[r];
    const KvPool& pool = row.sequence->pool();
    std::byte* page = row.sequence->page(pool.class_of(a.state), row.position / kPageTokens);
    ws.model.kernels().append_latent(pool.type(), latent, width, static_cast<int>(row.position % kPageTokens),
                                     page + pool.k_offset(a.state, 0));
  }
  watch(worker, ws, a.k_norm, ws.k.row(0, a.widths.key), ws.rows.size(), a.widths.key);
}

/// The rows that multiply the normed input: of low rank, or whole queries, in ws.v.
Product first_queries(Workspace& ws, const Mla& a) {
  return a.low_rank() ? Product{a.q_a, ws.mixed} : Product{a.q, ws.v};
}

/// Latents of all rows go to the cache; first_queries() of all rows, or of ws.output_rows, which alone stay
/// in the step.
void project_latents(const Worker& worker, Workspace& ws, const Norm& pre, const Mla& a, bool outputs_only) {
  const Product queries = first_queries(ws, a);
  if (!outputs_only) {
    const Activations x = normed(worker, ws, pre, ws.x, {&queries.linear, &a.k});
    multiply(worker, ws, x, {queries, {a.k, ws.k}});
    worker.wait();
    return append_latents(worker, ws, a);
  }
  const Activations all = normed(worker, ws, pre, ws.x, {&a.k});
  multiply(worker, ws, all, {{a.k, ws.k}});
  worker.wait();
  append_latents(worker, ws, a);
  worker.wait();
  if (worker.index == 0) ws.keep_output_rows();
  worker.wait();
  const Activations outputs = normed(worker, ws, pre, ws.x, {&queries.linear});
  multiply(worker, ws, outputs, {queries});
  worker.wait();
}

/// ws.q = the queries of all heads in the space of latents, and their rotated part.
void absorb_queries(const Worker& worker, Workspace& ws, const Mla& a) {
  if (a.low_rank()) {
    const std::size_t rank = a.q_a.weight.rows;
    const Activations x = make_activations(worker, ws, {&a.q}, nullptr, [&](std::size_t r, float* out) {
      apply(ws, a.q_norm, ws.mixed.row(r, rank), out);
    });
    watch(worker, ws, a.q_norm, x.values, x.rows, x.cols);
    multiply(worker, ws, x, {{a.q, ws.v}});
    worker.wait();
  }
  const HeadColumns from{ws.v.row(0), a.heads * std::size_t{a.head.key}, a.head.key};
  const HeadColumns to{ws.q.row(0), a.q_width(), a.widths.key};
  multiply_heads(worker, ws, a.k_b, from, to);
  const auto [first, last] = worker.share(ws.rows.size() * a.heads);
  for (std::size_t i = first; i < last; ++i) {
    const std::size_t r = i / a.heads, h = i % a.heads, rotated = a.rotated();
    std::copy_n(from.at(r, h) + a.head.key - rotated, rotated, to.at(r, h) + a.widths.value);
    rotate(ws, a, r, to.at(r, h));
  }
}

}  // namespace

void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Mla& a, bool outputs_only) {
  if (worker.index == 0) ws.next_unit = 0;
  project_latents(worker, ws, pre, a, outputs_only);
  absorb_queries(worker, ws, a);
  worker.wait();
  attend(worker, ws, ws.plan_of(a, outputs_only), a, ws.v);
  worker.wait();
  multiply_heads(worker, ws, a.v_b, {ws.v.row(0), a.out_width(), a.widths.value},
                 {ws.mixed.row(0), a.heads * std::size_t{a.head.value}, a.head.value});
}

}  // namespace partita::internal
