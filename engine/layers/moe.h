// A mixture of experts (Shazeer et al. 2017): of many FFNs, each token goes through a few.
#pragma once

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// ws.y = the sum over the chosen experts, ids ascending, of weight * expert(norm(rows)); then the shared
/// expert. rows: of ws.x's width. All workers call it together; each has the columns of ws.y that come from
/// its panels of an expert's last matrix (own_columns()).
void mix_experts(const Worker& worker, Workspace& ws, const Norm& norm, FloatBuffer& rows, const Moe& moe);

}  // namespace partita::internal
