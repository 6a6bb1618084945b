// The mixer of linear attention: projections, short causal convolutions, and a matrix state for each head
// that changes by the gated delta rule.
#pragma once

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// See self_attention.h. The recurrence runs token by token: the bits do not depend on how the tokens of a
/// sequence are divided into steps.
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const DeltaNet& net, bool outputs_only);

}  // namespace partita::internal
