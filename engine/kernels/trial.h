// Measures which of two tables with the same bits multiplies many rows faster on this machine.
#pragma once

#include "engine/kernels/kernels.h"

namespace partita::internal {

/// Times products of both, alternately, for about a millisecond; the shortest times count. The result depends
/// on the processor (does it have pipes for additions alone?) and on its other tenants (do they use them?),
/// so it must be measured. Returns `a` if there is no memory for the trial.
const Kernels& faster(const Kernels& a, const Kernels& b);

}  // namespace partita::internal
