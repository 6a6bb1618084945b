// The transformer block: one short function, run by all threads of a step together.
#pragma once

#include <cstddef>

#include "engine/layers/attention.h"
#include "engine/workspace.h"

namespace partita::internal {

/// ws.x += attention(norm(ws.x)); ws.x += ffn(norm(ws.x)). Appends the keys and values of every row to the KV
/// cache. The last layer leaves only the rows of ws.output_rows. Every worker calls it with the same
/// arguments; on return all workers have passed the last barrier.
void run_block(const Worker& worker, Workspace& ws, std::size_t layer);

}  // namespace partita::internal
