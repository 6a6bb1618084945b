// Files of screens, stored beside the model (docs/heads.md has the format).
#pragma once

#include <string>

#include "sampling/heads/screen.h"

namespace partita::internal {

/// The path of a model's screen: "MODEL.gguf.screen".
std::string screen_path(const std::string& model_path);

/// Replaces the file. matrix: the one that the screen was made from. Errors: kIo; kUnsupported for numbers
/// that read_screen() would refuse.
Result<void> write_screen(const Screen& screen, const PackedMatrix& matrix, const std::string& path);

/// Errors that name the path: kNotFound; kIo; kBadFile for a damaged file; kInvalidArgument for another kind
/// of file, another version, or the screen of another matrix. Also kOutOfMemory, and kUnsupported for a
/// hidden size that screens do not support.
Result<Screen> read_screen(const std::string& path, const PackedMatrix& matrix);

}  // namespace partita::internal
