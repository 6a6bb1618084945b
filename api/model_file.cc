#include "api/model_file.h"

#include <filesystem>

#include "api/convert/json_vocabulary.h"
#include "api/convert/open_checkpoint.h"
#include "api/convert/sentencepiece_vocabulary.h"
#include "api/gguf_file.h"
#include "partita/partita.hpp"

namespace partita::internal {

bool is_checkpoint(const std::string& path) {
  const std::filesystem::path config = std::filesystem::path(path) / "config.json";
  std::error_code none;
  return path != kBundledModel && std::filesystem::exists(config, none);
}

Result<Gguf> open_model_file(const std::string& path, const std::string& vocabulary) {
  const std::filesystem::path whole(path);
  const std::string directory = whole.has_parent_path() ? whole.parent_path().string() : ".";
  if (whole.filename() == "tokenizer.json") return json_vocabulary(directory, 0, false);
  if (whole.filename() == "tokenizer.model") return sentencepiece_vocabulary(directory, 0);
  if (!is_checkpoint(path)) return open_gguf_file(path);
  const auto opened =
      open_checkpoint(path, {.given = vocabulary, .instead = {}, .only_gguf = false}, std::nullopt);
  return opened ? opened->file.open(printable(path)) : opened.error();
}

}  // namespace partita::internal
