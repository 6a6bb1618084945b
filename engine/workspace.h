// The buffers of a step, made once for the largest step and reused. Those of attention over spans alone grow,
// as contexts do.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/cache/kv_cache.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/panels.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/tile_products.h"
#include "engine/model.h"

namespace partita {

/// A float matrix over aligned memory.
class FloatBuffer {
 public:
  FloatBuffer() = default;
  FloatBuffer(std::size_t rows, std::size_t cols) : bytes_(rows * cols * sizeof(float)), cols_(cols) {}
  float* row(std::size_t r) { return reinterpret_cast<float*>(bytes_.data()) + r * cols_; }
  std::size_t cols() const { return cols_; }
  bool ok() const { return bytes_.data() != nullptr; }

 private:
  AlignedBytes bytes_;
  std::size_t cols_ = 0;
};

/// One row of a step: a token at its place in a sequence.
struct StepRow {
  KvSequence* sequence = nullptr;
  std::size_t position = 0;
};

/// Consecutive rows of one sequence whose queries are answered together.
struct QueryRange {
  std::size_t row = 0;     // the first
  std::size_t tokens = 0;  // how many rows
};

/// How a set of rows is shared out by attend(): made once a step, valid for all layers.
struct AttentionPlan {
  std::vector<QueryRange> ranges;
  std::size_t heads_per_unit = 0;  // query heads of a group that go together
  std::size_t head_parts = 0;      // units per (range, KV head)
  std::size_t units = 0;
  std::size_t spans = 1;  // > 1: each (unit, span it sees) is handed out by itself; the most of any layer
};

/// Memory one thread needs for its piece of attention.
struct AttentionScratch {
  explicit AttentionScratch(std::size_t head_dim)
      : q(kMaxQueryRows, head_dim), part(kMaxQueryRows, head_dim), out(kMaxQueryRows, head_dim) {}
  bool ok() const { return q.ok() && part.ok() && out.ok(); }

  FloatBuffer q, part, out;  // [kMaxQueryRows][head_dim]
  float part_max[kMaxQueryRows], part_sum[kMaxQueryRows], max[kMaxQueryRows], sum[kMaxQueryRows];
  std::int32_t first[kMaxQueryRows], last[kMaxQueryRows];
};

/// Everything a block reads and writes besides weights and cache. Shapes in rows of the step.
struct Workspace {
  Workspace(const Transformer& model, int threads, std::size_t max_rows);
  bool ok() const;

  /// Leaves the rows of `kept` alone, in their order, with what stands in x, cos and sin.
  void narrow();

  const Transformer& model;
  const int threads;
  const std::size_t max_rows;

  // The step at hand.
  std::size_t tiled_rows = 0;     // rows [0, tiled_rows) are multiplied by `tiles`, the rest by the kernels
  std::vector<StepRow> rows;      // prompt rows first
  std::vector<std::size_t> kept;  // rows whose hidden state somebody asks for, ascending
  AttentionPlan attention_plan;   // for all rows
  AttentionPlan kept_attention;   // for those of `kept`
  std::atomic<std::size_t> next_unit{0};  // of attention, handed out in order
  std::atomic<bool> stop[2] = {};         // by parity of the layer (step.cc)
  std::atomic<bool> failed{false};        // a product of `tiles`

  std::unique_ptr<TileProducts> tiles;  // for prompt rows, on processors that have tiles; else null

  FloatBuffer x;                      // [rows][hidden] the residual stream
  FloatBuffer y;                      // [rows][hidden] what a half-block adds to it
  FloatBuffer q, k, v;                // [rows][heads * head_dim], [rows][kv_heads * head_dim] twice
  FloatBuffer attention;              // [rows][heads * head_dim]
  FloatBuffer gate, up;               // [rows][ffn]
  std::vector<FloatBuffer> cos, sin;  // per rope base: [rows][head_dim / 2]

  ActivationBuffer shared;               // activations of all rows
  std::vector<ActivationBuffer> own;     // [threads], of few rows that every thread makes for itself
  std::vector<AlignedBytes> matmul;      // [threads] scratch
  std::vector<AttentionScratch> attend;  // [threads]

  // Attention of few queries over many keys (attention.h): partial results by (unit, span), merged in order.
  std::vector<float> span_max, span_sum;  // [units * spans * rows of a unit]
  FloatBuffer span_out;                   // the same by [head_dim]
};

/// Rows that every thread prepares for itself: cheaper than to share them out and wait.
inline constexpr std::size_t kRowsRedone = 4;

}  // namespace partita
