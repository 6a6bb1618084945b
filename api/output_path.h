// Checks of a path at which a file will be written. Internal to api/.
#pragma once

#include <string>
#include <string_view>

#include "partita/result.hpp"

namespace partita::internal {

/// Errors that would otherwise appear after minutes of work: kInvalidArgument for a path that is no name of a
/// file; kIo if its directory does not exist.
Result<void> check_output_path(const std::string& path);

/// kInvalidArgument if `path` is the file `input`, also under another name; the message calls that `what`.
Result<void> check_other_file(const std::string& path, const std::string& input, std::string_view what);

/// check_other_file() of all files of a model that is read, of which `model` is the first.
Result<void> check_not_model(const std::string& path, const std::string& model);

}  // namespace partita::internal
