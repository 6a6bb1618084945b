// Sparsemax and alpha-entmax with the caller's kernel table (softmax.h).
#pragma once

#include <cstdint>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"
#include "partita/softmax.hpp"

namespace partita::internal {

Result<SparseSupport> entmax(std::span<const float> logits, double alpha, std::span<float> out,
                             const Kernels& kernels);

}  // namespace partita::internal
