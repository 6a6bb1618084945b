// Mamba-2 (Dao and Gu 2024): a state-space model, each of whose heads has one decay.
#pragma once

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// As of every mixer: self_attention.h.
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Mamba2& m, bool outputs_only);

}  // namespace partita::internal
