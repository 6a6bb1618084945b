// A fingerprint of a model file: tells whether two files hold the same model.
#pragma once

#include <cstdint>

#include "weights/gguf/gguf.h"

namespace partita::internal {

/// A checksum of the metadata (of arrays of more than 4,096 values only the length), of the names, types and
/// shapes of all tensors, and of the first and last 4 KiB of each tensor. It reads little of the file and
/// still differs when the weights differ.
Result<std::uint64_t> fingerprint(const Gguf& file);

}  // namespace partita::internal
