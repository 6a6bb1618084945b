#include "api/gguf_file.h"

#include <filesystem>

#include "partita/partita.hpp"
#include "weights/bundled/bundled_model.h"

namespace partita::internal {

Result<Gguf> open_gguf_file(const std::string& path) {
  if (path == kBundledModel && bundled_model().empty()) {
    return Error{ErrorCode::kNotFound,
                 "this Partita was built without the bundled model (PARTITA_BUNDLED=OFF): give the path of a "
                 "GGUF file, or \"./bundled\" for a file of that name"};
  }
  if (path == kBundledModel) return Gguf::parse(bundled_model(), path);
  if (std::error_code none; std::filesystem::exists(path + "/adapter_config.json", none)) {
    return Error{ErrorCode::kUnsupported,
                 "\"" + printable(path) +
                     "\" is a LoRA adapter of PEFT, no model: give a model with -m, and "
                     "the adapter with --lora"};
  }
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
    return Error{ErrorCode::kUnsupported,
                 "\"" + printable(path) +
                     "\" is a directory without config.json: give the path of a GGUF file (*.gguf) in it"};
  }
  return Gguf::open(path);
}

}  // namespace partita::internal
