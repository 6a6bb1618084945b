// Error messages for files that are not supported GGUF files.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "partita/result.hpp"
#include "weights/gguf/tensor_view.h"

namespace partita::internal {

/// The error for bytes that are not a GGUF file of version 2 or 3: what they seem to be, and what to do.
Error explain_not_gguf(std::span<const std::byte> file, const std::string& file_name);

/// The error for tensors whose element types have no codec, with the names of the types.
Error explain_tensor_types(std::span<const UnsupportedTensor> tensors, const std::string& file_name);

}  // namespace partita::internal
