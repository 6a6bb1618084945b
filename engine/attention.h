// Attention over the paged cache for a ragged set of rows: prefill, decode and mixtures in one way.
//
// The keys of a sequence are cut into pages of 64 and spans of 512, at fixed positions. Within a span pages
// follow each other in online softmax; spans are computed apart and merged in order. A unit of work is (range
// of queries, KV head): all query heads of the group share each load of K and V. When units are few and keys
// many, the spans of a unit go to different threads; the bits stay the same.
#pragma once

#include <cstddef>

#include "engine/workspace.h"

namespace partita {

inline constexpr std::size_t kSpanTokens = 512;

/// What the threads of a step share out: made once a step, valid for all layers.
struct AttentionPlan {
  std::size_t heads_per_unit = 0;  // query heads of a group that go together
  std::size_t head_parts = 0;      // units per (range, KV head)
  std::size_t units = 0;
  std::size_t spans = 1;  // > 1: each (unit, span) is handed out by itself

  /// Cuts the rows of the step into ranges and decides whether to split by spans. Grows ws.span_* where
  /// needed.
  static AttentionPlan make(Workspace& ws);
};

/// Fills ws.attention for all rows from ws.q and the cache of layer `layer`. All workers call it together;
/// rows are complete after the barrier that follows.
void attend(const Worker& worker, Workspace& ws, const AttentionPlan& plan, std::size_t layer);

}  // namespace partita
