// A feed-forward network over the rows of a step.
#pragma once

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// ws.gate = the inner rows of norm(rows), before Ffn::down. All workers call it together; the rows are
/// complete after the next barrier. rows: of ws.x's width.
void feed(const Worker& worker, Workspace& ws, const Norm& norm, FloatBuffer& rows, const Ffn& ffn);

}  // namespace partita::internal
