#include "api/convert/checkpoint_vocabulary.h"

#include <filesystem>
#include <optional>

#include "api/convert/directory.h"
#include "api/convert/json_vocabulary.h"
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
  return {
      ErrorCode::kNotFound,
      sentence(
          "'", printable(directory),
          "' has no vocabulary that can be read: neither tokenizer.model nor tokenizer.json nor a GGUF file; "
          "put a GGUF file with the same vocabulary into it, or name one with --vocabulary FILE")};
}

/// tokenizer.model, or tokenizer.json where the former is there but of a kind that GGUF files do not have.
Result<Gguf> own_vocabulary(const std::string& directory, std::uint32_t size, bool only_gguf) {
  const bool has_json = exists(directory + "/tokenizer.json");
  if (exists(directory + "/tokenizer.model")) {
    auto made = sentencepiece_vocabulary(directory, size);
    if (made || made.error().code != ErrorCode::kUnsupported || !has_json) return made;
  }
  return json_vocabulary(directory, size, only_gguf);
}

}  // namespace

Result<Gguf> open_vocabulary(const std::string& directory, const VocabularyPaths& paths, std::uint32_t size) {
  if (!paths.given.empty()) return open_gguf_file(paths.given);
  for (const char* name : {"/tokenizer.model", "/tokenizer.json"}) {
    if (exists(directory + name)) return own_vocabulary(directory, size, paths.only_gguf);
  }
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
