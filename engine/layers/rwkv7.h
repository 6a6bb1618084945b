// The mixer of RWKV-7 (Peng et al. 2025): token shifts, projections of low rank, and a recurrence.
#pragma once

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// As of every mixer: self_attention.h.
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Rwkv7& m, bool outputs_only);

}  // namespace partita::internal
