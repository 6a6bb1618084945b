// Attention and Mamba-2 side by side.
#pragma once

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// As of every mixer (self_attention.h), but the output of Mamba-2 is in ws.x already.
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const AttentionAndMamba2& m,
         bool outputs_only);

}  // namespace partita::internal
