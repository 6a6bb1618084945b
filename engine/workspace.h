// The buffers of a step, allocated once for the largest step and reused. Only the buffers of split attention
// (span_*) grow, with the context length.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/adapter.h"
#include "engine/cache/kv_cache.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/panels.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/tile_products.h"
#include "engine/layers/routing.h"
#include "engine/model.h"

namespace partita::internal {

/// A float matrix over aligned memory, or memory for any matrix of as many rows and fewer columns.
class FloatBuffer {
 public:
  FloatBuffer() = default;
  FloatBuffer(std::size_t rows, std::size_t cols) : bytes_(rows * cols * sizeof(float)), cols_(cols) {}
  float* row(std::size_t r) { return row(r, cols_); }
  float* row(std::size_t r, std::size_t cols) { return reinterpret_cast<float*>(bytes_.data()) + r * cols; }
  std::size_t cols() const { return cols_; }
  bool ok() const { return bytes_.data() != nullptr; }

 private:
  AlignedBytes bytes_;
  std::size_t cols_ = 0;
};

class StepWatch;

/// One row of a step: a token and its position in a sequence.
struct StepRow {
  KvSequence* sequence = nullptr;
  std::size_t position = 0;
};

/// Consecutive rows of one sequence.
struct QueryRange {
  std::size_t row = 0;     // the first
  std::size_t tokens = 0;  // how many rows
};

/// How attend() divides a set of rows into units of work. Planned once per step, valid for all layers with
/// these numbers of heads.
struct AttentionPlan {
  std::size_t heads = 0, kv_heads = 0;
  bool is_for(const Attention& a) const { return heads == a.heads && kv_heads == a.kv.heads; }

  std::vector<QueryRange> ranges = {};
  std::size_t heads_per_unit = 0;  // query heads of a group that are processed together
  std::size_t head_parts = 0;      // units per (range, KV head)
  std::size_t units = 0;
  std::size_t spans = 1;  // > 1: each (unit, span) is a work item of its own; the maximum over these layers
};

/// Scratch memory of one thread for attention.
struct AttentionScratch {
  explicit AttentionScratch(HeadWidths most)
      : q(kMaxQueryRows, most.key), part(kMaxQueryRows, most.value), out(kMaxQueryRows, most.value) {}
  bool ok() const { return q.ok() && part.ok() && out.ok(); }

  FloatBuffer q;          // [kMaxQueryRows][key width]
  FloatBuffer part, out;  // [kMaxQueryRows][value width]
  float part_max[kMaxQueryRows], part_sum[kMaxQueryRows], max[kMaxQueryRows], sum[kMaxQueryRows];
  std::int32_t first[kMaxQueryRows], last[kMaxQueryRows];
  float slope[kMaxQueryRows], at[kMaxQueryRows];  // of ALiBi
};

/// How the rows of a step go through experts. A pair is a row and one of its experts; pairs of an expert lie
/// side by side, rows ascending, and those of the shared expert are the last.
struct MoePlan {
  MoePlan() = default;
  MoePlan(std::size_t rows, std::size_t used, std::size_t experts)
      : chosen(rows * used),
        pair_of(rows * used),
        row_of(rows * used),
        weight_of(rows * used),
        ends(experts + 1) {}
  /// Fills the rest from `chosen`.
  void sort(std::size_t rows, std::size_t used, std::size_t experts);

  std::vector<Routed> chosen;          // [rows][used], ids ascending
  std::vector<std::uint32_t> pair_of;  // [rows][used]
  std::vector<std::uint32_t> row_of;   // [pairs], without those of the shared expert
  std::vector<float> weight_of;        // [pairs], the same
  std::vector<std::uint32_t> ends;     // [experts + 1]: one past the last pair of each
};

/// Buffers of mixtures of experts.
struct MoeBuffers {
  MoeBuffers() = default;
  MoeBuffers(const Transformer& model, std::size_t max_rows, int threads);
  bool ok() const;

  FloatBuffer router;       // [rows][experts]
  FloatBuffer shared_gate;  // [rows][1]
  MoePlan plan;
  ActivationBuffer input;                       // [pairs][hidden]
  ActivationBuffer router_input, shared_input;  // [rows][hidden] if a layer has norms of its own for them
  FloatBuffer gate, up;                         // [pairs][Ffn::width()]
  ActivationBuffer inner;                       // [pairs][Ffn::width()]
  FloatBuffer out;                              // [pairs][hidden]
  /// For steps of few rows.
  struct Own {
    MoePlan plan;
    ActivationBuffer input, inner, router_input, shared_input;
  };
  std::vector<Own> own;  // [threads]
};

/// Buffers of linear attention (DeltaNet).
struct DeltaBuffers {
  DeltaBuffers() = default;
  DeltaBuffers(const Transformer& model, std::size_t max_rows);
  bool ok() const;

  FloatBuffer beta;                 // [rows][heads]
  FloatBuffer decay;                // [rows][rows of DeltaNet::decay]
  FloatBuffer decay_low, gate_low;  // [rows][rows of DeltaNet::decay_low, gate_low]
};

/// Buffers of RWKV-7.
struct Rwkv7Buffers {
  Rwkv7Buffers() = default;
  Rwkv7Buffers(const Transformer& model, std::size_t max_rows);
  bool ok() const;

  FloatBuffer first_values;                            // [rows][Rwkv7::width()] of the first layer
  FloatBuffer decay, rate;                             // [rows][Rwkv7::width()]
  FloatBuffer decay_low, rate_low, mix_low, gate_low;  // [rows][rows of LowRank::down]
};

/// Everything that a block reads and writes besides weights and cache. Shapes are in rows of the step.
struct Workspace {
  Workspace(const Transformer& model, int threads, std::size_t max_rows);
  bool ok() const;

  /// Makes room for partial results of `rows` rows. Returns false, and changes nothing, if there is no
  /// memory.
  bool grow_spans(std::size_t rows);

  /// Keeps only the rows of `output_rows`, in their order: compacts rows, x, cos, sin, and `mixed`, whose
  /// rows have `mixed_width` numbers; 0: it holds none yet.
  void keep_output_rows(std::size_t mixed_width = 0);

  /// The plan for a layer: of all rows, or of `output_rows`.
  const AttentionPlan& plan_of(const Attention& attention, bool outputs_only) const;

  const Transformer& model;
  const int threads;
  const std::size_t max_rows;

  // The current step.
  std::size_t tiled_rows = 0;  // rows [0, tiled_rows) are multiplied by `tiles`, the rest by the kernels
  std::vector<StepRow> rows;   // prompt rows first
  bool adapted = false;        // whether a row has adapters
  std::vector<QueryRange> sequences;           // the rows of each sequence
  std::vector<std::size_t> output_rows;        // rows whose hidden state is an output, ascending
  std::vector<AttentionPlan> attention_plans;  // for all rows; one for each number of heads
  std::vector<AttentionPlan> output_plans;     // for `output_rows`, the same
  std::atomic<std::size_t> next_unit{0};       // next work item of attention, handed out in order
  std::atomic<bool> stop[2] = {};              // by parity of the layer (step.cc)
  std::atomic<bool> failed{false};             // a product of `tiles` failed
  StepWatch* watch = nullptr;                  // looks at every operation; null: nothing does

  std::unique_ptr<TileProducts> tiles;  // for prompt rows, on processors with tiles; else null

  FloatBuffer x;         // [rows][hidden] the residual stream
  FloatBuffer versions;  // [rows][ResidualVersions::count * hidden]
  FloatBuffer y;         // [rows][hidden] the output of mixer or FFN, added to x
  FloatBuffer input;  // [rows][hidden] x before the mixer, if a layer is parallel; shifted rows; the output
                      // of Mamba-2
  // Rows of the width that the layer gives them.
  FloatBuffer q;  // [rows][projection_width() of the mixer]
  // [rows][Attention::k_width()], v_width(); parameters, steps of Mamba. Of Mla, v holds the queries before
  // they are absorbed, then what attention gathered.
  FloatBuffer k, v;
  FloatBuffer mixed;                  // [rows][columns of Layer::out()]
  FloatBuffer gate, up;               // [rows][Ffn::width()], or the gate of the mixer
  std::vector<float> ones;            // [as wide as any] for activations without a second factor
  DeltaBuffers delta;                 // empty if no layer has linear attention
  Rwkv7Buffers rwkv7;                 // empty if no layer is one of RWKV-7
  FloatBuffer token_inputs;           // [rows][layers * TokenInputs::width]
  FloatBuffer table_rows;             // [threads][layers * TokenInputs::width]
  MoeBuffers moe;                     // empty if no layer has experts
  std::vector<FloatBuffer> cos, sin;  // per rope base: [rows][rotated pairs of a head]

  ActivationBuffer shared_activations;             // activations of all rows
  std::vector<ActivationBuffer> own_activations;   // [threads], for steps of few rows
  std::vector<AlignedBytes> matmul;                // [threads] scratch
  std::vector<AdapterScratch> adapter_scratch;     // [threads], empty until a step has adapters
  std::vector<AttentionScratch> attend;            // [threads]
  std::vector<ActivationBuffer> head_activations;  // [threads], of kMaxHeadRows rows, for Mla

  // Attention of few queries over many keys (attention.h): partial results by (unit, span), merged in order.
  std::vector<float> span_max, span_sum;  // [units * spans * rows of a unit]
  FloatBuffer span_out;                   // [units * spans * rows of a unit][value width]
};

/// Up to this many rows, every thread computes the activations of all rows itself: cheaper than to share the
/// rows and wait at a barrier.
inline constexpr std::size_t kMaxRedundantRows = 4;

/// Rows of one head that are multiplied together (mla.cc).
inline constexpr std::size_t kMaxHeadRows = 64;

}  // namespace partita::internal
