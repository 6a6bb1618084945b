// Gated short convolution: the mixer of most layers of LFM2 (Liquid AI 2025).
#pragma once

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// As of every mixer: self_attention.h.
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const ShortConv& m, bool outputs_only);

}  // namespace partita::internal
