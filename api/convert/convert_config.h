// Reads and checks the config.json of a Hugging Face checkpoint. Internal to api/.
#pragma once

#include <string>
#include <string_view>

#include "api/convert/checkpoint_config.h"
#include "partita/result.hpp"

namespace partita::internal {

/// Reads `path`, a config.json. Errors: those of InputFile; kBadFile and kUnsupported naming key, value and
/// limit.
Result<CheckpointConfig> read_checkpoint_config(const std::string& path);

/// The same of the text itself; `name` is for error messages.
Result<CheckpointConfig> parse_checkpoint_config(std::string_view text, const std::string& name);

}  // namespace partita::internal
