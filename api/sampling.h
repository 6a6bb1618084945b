// The public sampling options as those of a chain.
#pragma once

#include "partita/sampling.hpp"
#include "sampling/chain/options.h"

namespace partita::internal {

SamplingOptions sampling_options(const Sampling& sampling);

}  // namespace partita::internal
