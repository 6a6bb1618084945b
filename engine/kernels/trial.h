// Which of two tables with the same bits multiplies many rows faster here and now.
#pragma once

#include "engine/kernels/isa.h"

namespace partita {

/// Times products of both, in turn, for about a millisecond; the shortest times count. It depends on the
/// processor (has it pipes for additions alone?) and on its other tenants (do they use them?), so nobody can
/// know it beforehand. `a` when there is no memory to try.
Isa faster(Isa a, Isa b);

}  // namespace partita
