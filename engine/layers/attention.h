// Attention over the paged cache for a ragged set of rows: prefill, decode and mixtures in one way.
//
// The keys of a sequence are cut into pages of 64 and spans of 512, at fixed positions. Within a span pages
// follow each other in online softmax; spans are computed apart and merged in order. Pages that no query of a
// unit sees, between the sinks and the window or before it, are not read. A unit of work is (range
// of queries, KV head): all query heads of the group share each load of K and V. When units are few and keys
// many, the spans of a unit go to different threads; the bits stay the same.
#pragma once

#include <cstddef>
#include <span>

#include "engine/workspace.h"

namespace partita {

inline constexpr std::size_t kSpanTokens = 512;

/// Cuts `rows` (indices of ws.rows, ascending) into ranges and decides whether to split by spans. Grows
/// ws.span_* where needed.
void plan_attention(Workspace& ws, std::span<const std::size_t> rows, AttentionPlan& plan);

/// Fills ws.attention for all rows from ws.q and the cache of layer `layer`. All workers call it together;
/// rows are complete after the barrier that follows.
void attend(const Worker& worker, Workspace& ws, const AttentionPlan& plan, std::size_t layer);

}  // namespace partita
