// LAuReL (Menghani et al. 2024): a residual connection that learns.
#pragma once

#include "engine/kernels/parallel.h"
#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// ws.x += n + post(right left n), n = pre(ws.x). All workers call it together; the rows are complete on
/// return.
void add_laurel(const Worker& worker, Workspace& ws, const Norm& pre, const Laurel& laurel);

}  // namespace partita::internal
