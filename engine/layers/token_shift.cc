#include "engine/layers/token_shift.h"

#include <algorithm>
#include <cstring>

#include "engine/layers/products.h"
#include "engine/number_watch.h"

namespace partita::internal {
namespace {

const float* last_row(const std::byte* state, const LastRow& kept) {
  return state == nullptr ? nullptr : reinterpret_cast<const float*>(state + kept.offset);
}

/// The last row of the first `tokens` tokens of `rows`; null: zeros, before the first of the sequence.
const float* row_after(Workspace& ws, const QueryRange& rows, const StateStep& step, const LastRow& kept,
                       std::size_t tokens) {
  return tokens > 0 ? ws.y.row(rows.row + tokens - 1) : last_row(step.before, kept);
}

void keep_row(const float* row, std::size_t width, std::byte* state) {
  if (row == nullptr) {
    std::memset(state, 0, width * sizeof(float));
  } else {
    std::memcpy(state, row, width * sizeof(float));
  }
}

/// The row of ws.y before row r, or null.
const float* row_before(Workspace& ws, const LastRow& kept, std::size_t r) {
  if (r > 0 && ws.rows[r - 1].sequence == ws.rows[r].sequence) return ws.y.row(r - 1);
  const auto rows = std::lower_bound(ws.sequences.begin(), ws.sequences.end(), r,
                                     [](const QueryRange& range, std::size_t at) { return range.row < at; });
  return last_row(ws.rows[r].sequence->state_step(kept.state, rows->tokens).before, kept);
}

}  // namespace

void norm_to_shift(const Worker& worker, Workspace& ws, const Norm& norm, const LastRow& kept) {
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) apply(ws, norm, ws.x.row(r), ws.y.row(r));
  worker.wait();
  const std::size_t width = ws.y.cols();
  if (ws.watch != nullptr)
    ws.watch->look(worker, ws, "the norm " + norm.name, ws.y.row(0), ws.rows.size(), width);
  const auto [from, to] = worker.share(ws.sequences.size());
  for (std::size_t i = from; i < to; ++i) {
    const QueryRange& rows = ws.sequences[i];
    const StateStep step = ws.rows[rows.row].sequence->state_step(kept.state, rows.tokens);
    keep_row(row_after(ws, rows, step, kept, rows.tokens), width, step.after + kept.offset);
    if (step.snapshot == nullptr) continue;
    keep_row(row_after(ws, rows, step, kept, step.snapshot_tokens), width, step.snapshot + kept.offset);
  }
}

void shift_row(Workspace& ws, const LastRow& kept, const float* weight, std::size_t r, float* to) {
  const float *x = ws.y.row(r), *before = row_before(ws, kept, r);
  for (std::size_t i = 0; i < ws.y.cols(); ++i)
    to[i] = x[i] + weight[i] * ((before == nullptr ? 0.0F : before[i]) - x[i]);
}

void shift_tokens(const Worker& worker, Workspace& ws, const TokenShift& shift, bool outputs_only) {
  const LastRow kept{shift.state};
  norm_to_shift(worker, ws, shift.norm, kept);
  const auto [first, last] = worker.share(outputs_only ? ws.output_rows.size() : ws.rows.size());
  for (std::size_t i = first; i < last; ++i)
    shift_row(ws, kept, shift.weight.data(), outputs_only ? ws.output_rows[i] : i, ws.input.row(i));
  worker.wait();
  if (!outputs_only) return;
  if (worker.index == 0) ws.keep_output_rows();
  worker.wait();
}

}  // namespace partita::internal
