// Token shift: a row is mixed with the row of the token before it (Peng et al. 2023). Its state is the last
// row.
#pragma once

#include <cstddef>

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// Where a last row is kept: from byte `offset` of a state.
struct LastRow {
  std::size_t state = 0, offset = 0;
};

/// ws.y = norm(ws.x), and keeps the last row of each sequence. All workers call it together; the rows are
/// complete on return.
void norm_to_shift(const Worker& worker, Workspace& ws, const Norm& norm, const LastRow& kept);

/// to = x + weight * (before - x), where x is row r of ws.y.
void shift_row(Workspace& ws, const LastRow& kept, const float* weight, std::size_t r, float* to);

/// ws.input = the shifted rows of ws.x. outputs_only: only ws.output_rows are left of the step. All workers
/// call it together; the rows are complete on return.
void shift_tokens(const Worker& worker, Workspace& ws, const TokenShift& shift, bool outputs_only);

}  // namespace partita::internal
