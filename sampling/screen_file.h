// Screens as files beside the model (docs/heads.md has the format).
#pragma once

#include <string>

#include "sampling/screen.h"

namespace partita {

/// Where the screen of a model is looked for: "MODEL.gguf.screen".
std::string screen_path(const std::string& model_path);

/// Replaces the file. matrix: that the screen was made of. Error: kIo.
Result<void> write_screen(const Screen& screen, const PackedMatrix& matrix, const std::string& path);

/// Errors, all of which name the path: kNotFound; kIo; kBadFile for a file that is damaged; kInvalidArgument
/// for another kind of file, a newer version, or the screen of another matrix; kOutOfMemory.
Result<Screen> read_screen(const std::string& path, const PackedMatrix& matrix);

}  // namespace partita
