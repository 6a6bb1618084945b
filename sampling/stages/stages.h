// The table of all samplers.
#pragma once

#include <span>

#include "sampling/stages/stage.h"

namespace partita::internal {

/// In the default order.
std::span<const StageDescriptor* const> known_stages();
/// Their Sampler entries, in the same order. Does not allocate.
std::span<const Sampler> samplers_of_stages() noexcept;

}  // namespace partita::internal
