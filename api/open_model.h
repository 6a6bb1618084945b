// Opens a model of which the file is open already. Internal to api/.
#pragma once

#include "partita/model.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

struct ModelOpener {
  /// path: of the file, or of the directory that it was made of; for messages, and for the screen beside it.
  /// What the file's sources refer to must outlive the model. Errors: those of Model::open().
  static Result<Model> open(Gguf file, const std::string& path, const OpenOptions& options);
};

}  // namespace partita::internal
