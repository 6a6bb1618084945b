// Opens a GGUF file, or the bundled model. Internal to api/.
#pragma once

#include <string>

#include "weights/gguf/gguf.h"

namespace partita::internal {

/// The GGUF file at `path`, or for kBundledModel the one in the library. Errors: those of Gguf::open();
/// kUnsupported for a directory.
Result<Gguf> open_gguf_file(const std::string& path);

}  // namespace partita::internal
