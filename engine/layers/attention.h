// Attention over the paged KV cache (paged attention) for a ragged set of rows: prefill, decode and mixtures
// use the same code.
//
// The keys of a sequence are divided into pages of 64 and spans of 512, at fixed positions. Within a span,
// pages are processed in order with online softmax; spans are computed separately and merged in order (as in
// flash-decoding). Pages that no query of a unit attends to, between the sinks and the window or before the
// window, are not read. A unit of work is (range of queries, KV head): all query heads of the group share
// each load of K and V. If units are few and keys are many, different threads compute the spans of a unit;
// the bits are the same.
#pragma once

#include <cstddef>
#include <span>

#include "engine/workspace.h"

namespace partita::internal {

inline constexpr std::size_t kSpanTokens = 512;

/// Divides `rows` (indices of ws.rows, ascending) into ranges and decides whether to split by spans. Grows
/// ws.span_* if needed. Precondition: plan.heads and plan.kv_heads are set.
void plan_attention(Workspace& ws, std::span<const std::size_t> rows, AttentionPlan& plan);

/// Fills `out`, rows of out_width(), for all rows from ws.q and the keys and values in the cache. All workers
/// call it together; the rows are complete after the next barrier.
void attend(const Worker& worker, Workspace& ws, const AttentionPlan& plan, const Attention& attention,
            FloatBuffer& out);

}  // namespace partita::internal
