// The Gumbel-max draw with the caller's kernel table (softmax.h).
#pragma once

#include <cstdint>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"
#include "partita/softmax.hpp"

namespace partita::internal {

Result<std::int32_t> gumbel_max(std::span<const float> logits, const DrawKey& key, const Kernels& kernels);

}  // namespace partita::internal
