// A mixture of experts (Shazeer et al. 2017): of many FFNs, each token goes through a few.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/kernels/activations.h"
#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// Chooses the experts of one token and their weights: the largest logits, ids ascending; of equal ones the
/// lower ids. logits: [experts]. chosen: [routing.used], all with `row`.
void route(const Routing& routing, std::span<const float> logits, std::uint32_t row,
           std::span<Routed> chosen);

/// ws.y = the sum over the chosen experts, ids ascending, of weight * expert(norm(rows)); then the shared
/// expert. rows: of ws.x's width. All workers call it together; ws.y is complete on return.
void mix_experts(const Worker& worker, Workspace& ws, const Norm& norm, FloatBuffer& rows, const Moe& moe);

}  // namespace partita::internal
