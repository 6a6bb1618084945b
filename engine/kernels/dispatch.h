// Runtime dispatch: the choice of an instruction set when a model is loaded, and the kernel table of each.
#pragma once

#include "engine/kernels/isa.h"
#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita::internal {

/// The best supported instruction set (of kVnni and kVnniWinograd the faster, by trial.h), or the one that
/// the environment variable PARTITA_ISA names: scalar|avx2|avx512|vnni|vnni-winograd|amx|amx-emulated on
/// x86-64, scalar|neon|neon-dot on aarch64. Errors: kInvalidArgument for an unknown name, kUnsupported for
/// one that this processor lacks.
Result<Isa> choose_isa();

/// Whether PARTITA_ISA is set.
bool isa_is_forced();

/// The table of an instruction set (kAmx: that of kVnni; kAmxEmulated: that of kVnni, or of kAvx512 if the
/// processor lacks VNNI; their tile products are in tile_products.h). Precondition: can_run().
const Kernels& kernels(Isa isa);

/// The definition of the engine in float: activations are not quantized, products are summed in double. Slow;
/// used by `--exact`, and the reference for tests of the tables above.
const Kernels& exact_kernels();

}  // namespace partita::internal
