#include "api/model_file.h"

#include <filesystem>

#include "partita/partita.hpp"
#include "weights/bundled/bundled_model.h"

namespace partita::internal {

Result<Gguf> open_model_file(const std::string& path) {
  if (path == kBundledModel && bundled_model().empty()) {
    return Error{ErrorCode::kNotFound,
                 "this Partita was built without the bundled model (PARTITA_BUNDLED=OFF): give the path of a "
                 "GGUF file, or \"./bundled\" for a file of that name"};
  }
  if (path == kBundledModel) return Gguf::parse(bundled_model(), path);
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::path(path) / "config.json", ignored)) {
    return Error{ErrorCode::kUnsupported,
                 "\"" + printable(path) +
                     "\" is the directory of a checkpoint: partita convert makes a GGUF file of it, if "
                     "its family is supported; give that"};
  }
  if (std::filesystem::is_directory(path, ignored)) {
    return Error{ErrorCode::kUnsupported,
                 "\"" + printable(path) + "\" is a directory: give the path of a GGUF file (*.gguf) in it"};
  }
  return Gguf::open(path);
}

}  // namespace partita::internal
