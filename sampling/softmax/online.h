// OnlineSoftmax::add and OnlineSoftmax::probabilities with the caller's kernel table (softmax.h).
#pragma once

#include <cstdint>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"
#include "partita/softmax.hpp"

namespace partita::internal {

Result<void> add_piece(OnlineSoftmax& state, std::span<const float> piece, const Kernels& kernels);
Result<void> piece_probabilities(const OnlineSoftmax& state, std::span<const float> piece,
                                 std::span<float> out, const Kernels& kernels);

}  // namespace partita::internal
