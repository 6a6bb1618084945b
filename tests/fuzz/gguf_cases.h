// Walking through an open GGUF file.
#pragma once

#include "weights/gguf/gguf.h"

namespace partita::internal::fuzz {

/// Finds every entry and tensor by its name, and reads the first and the last block of each tensor.
void walk(const Gguf& file);

}  // namespace partita::internal::fuzz
