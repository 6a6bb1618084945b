// Screens as files beside the model (docs/heads.md has the format).
#pragma once

#include <string>

#include "sampling/heads/screen.h"

namespace partita {

/// Where the screen of a model is looked for: "MODEL.gguf.screen".
std::string screen_path(const std::string& model_path);

/// Replaces the file. matrix: that the screen was made of. Errors: kIo; kUnsupported for numbers that
/// read_screen() would refuse.
Result<void> write_screen(const Screen& screen, const PackedMatrix& matrix, const std::string& path);

/// Errors that name the path: kNotFound; kIo; kBadFile for a file that is damaged; kInvalidArgument for
/// another kind of file, a newer version, or the screen of another matrix. And kOutOfMemory, kUnsupported for
/// a hidden size that no screen has.
Result<Screen> read_screen(const std::string& path, const PackedMatrix& matrix);

}  // namespace partita
