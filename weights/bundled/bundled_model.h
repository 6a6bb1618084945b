// The small chat model that is embedded in the library: weights/bundled/, trained by tools/train/.
#pragma once

#include <cstddef>
#include <span>

namespace partita::internal {

/// The bytes of its GGUF file, in the program's read-only data. Empty if the library was built without it
/// (PARTITA_BUNDLED=OFF).
std::span<const std::byte> bundled_model();

}  // namespace partita::internal
