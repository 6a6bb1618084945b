// The mixer of most layers: projections of queries, keys and values, their norms and RoPE, the KV cache, and
// attention.
#pragma once

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// What every mixer has. ws.mixed = the mixer's rows of norm(ws.x), before its `out` matrix, for all rows;
/// the state in the cache takes up every row. outputs_only: only ws.output_rows are left of the step
/// (Workspace::keep_output_rows). All workers call it together; the rows are complete after the next barrier.
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Attention& a, bool outputs_only);

}  // namespace partita::internal
