// Mamba (Gu and Dao 2023): a state-space model, each of whose channels has decays and a step of its own.
#pragma once

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// As of every mixer: self_attention.h.
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Mamba& m, bool outputs_only);

}  // namespace partita::internal
