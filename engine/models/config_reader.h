// Reads the Config of a model from its metadata, with the row of its family.
#pragma once

#include "engine/config.h"
#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// Reads the Config of a supported family. Errors: kUnsupported naming an unknown family and the supported
/// ones, or a feature that is not supported; kBadFile naming the key, the value and the limit.
Result<Config> read_config(const Gguf& file);

/// Whether the metadata describes a whole model, not a part of one or something else; read_config() refuses
/// other files.
bool is_whole_model(const Gguf& file);

}  // namespace partita::internal
