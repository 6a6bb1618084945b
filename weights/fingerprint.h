// Whether two files are the same model.
#pragma once

#include <cstdint>

#include "weights/gguf/gguf.h"

namespace partita {

/// A checksum of the metadata (of arrays of more than 4,096 values the length), of the names, types and
/// shapes of all tensors, and of the first and the last 4 KiB of each: reads little of a file, and differs
/// for other weights.
Result<std::uint64_t> fingerprint(const Gguf& file);

}  // namespace partita
