// The small model that is part of the library: weights/bundled/, made by tools/train/.
#pragma once

#include <cstddef>
#include <span>

namespace partita {

/// The bytes of its GGUF file, in the program's read-only memory for as long as that runs. Empty where the
/// library was built without it (PARTITA_BUNDLED=OFF).
std::span<const std::byte> bundled_model();

}  // namespace partita
