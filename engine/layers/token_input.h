// The inputs that the embedding gives each layer of a token (engine/token_inputs.h), in a step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/parallel.h"
#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// Fills ws.token_inputs from the embedded rows ws.x. All workers call it together; it is complete on return.
void read_token_inputs(const Worker& worker, Workspace& ws, std::span<const std::uint32_t> tokens);

/// ws.gate = activation(gate ws.x) * the inputs of layer `index`, before TokenInput::proj. All workers call
/// it together; the rows are complete after the next barrier.
void gate_token_input(const Worker& worker, Workspace& ws, const TokenInput& input, std::size_t index);

}  // namespace partita::internal
