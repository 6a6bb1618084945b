#include "api/convert/checkpoint_vocabulary.h"

#include <filesystem>
#include <optional>

#include "api/convert/directory.h"
#include "api/convert/sentencepiece_vocabulary.h"
#include "api/gguf_file.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  std::error_code none;
  return fs::exists(path, none);
}

Error no_vocabulary(const std::string& directory) {
  const bool has_json = exists(directory + "/tokenizer.json");
  return {ErrorCode::kNotFound,
          sentence("'", printable(directory),
                   "' has no vocabulary that can be read: neither tokenizer.model nor a GGUF file",
                   has_json ? ", and its tokenizer.json is not read yet" : "",
                   "; put a GGUF file with the same vocabulary into it, or name one with --vocabulary FILE")};
}

}  // namespace

Result<Gguf> open_vocabulary(const std::string& directory, const VocabularyPaths& paths, std::uint32_t size) {
  if (!paths.given.empty()) return open_gguf_file(paths.given);
  if (exists(directory + "/tokenizer.model")) return sentencepiece_vocabulary(directory, size);
  std::optional<Error> damaged;  // the first file that does not open
  for (const std::string& name : files_in(directory)) {
    if (!name.ends_with(".gguf")) continue;
    auto file = Gguf::open(directory + "/" + name);
    if (!file && file.error().code == ErrorCode::kOutOfMemory) return file;
    if (file && file->find("tokenizer.ggml.tokens") != nullptr) return file;
    if (!file && !damaged) damaged = file.error();
  }
  if (!paths.instead.empty()) return open_gguf_file(paths.instead);
  return damaged ? *damaged : no_vocabulary(directory);
}

}  // namespace partita::internal
