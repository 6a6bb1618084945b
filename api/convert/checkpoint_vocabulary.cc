#include "api/convert/checkpoint_vocabulary.h"

#include <filesystem>
#include <optional>

#include "api/convert/directory.h"
#include "api/convert/tokenizer_file.h"
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
  return {ErrorCode::kNotFound,
          sentence("'", printable(directory),
                   "' has no vocabulary that can be read: none of tokenizer.model, tokenizer.json, "
                   "tekken.json, ranks of tiktoken and a GGUF file; "
                   "put a GGUF file with the same vocabulary into it, or name one with --vocabulary FILE")};
}

/// A file of a directory that holds its tokenizer; kNone: there is none.
struct OwnVocabulary {
  std::string path;
  TokenizerFormat format = TokenizerFormat::kNone;
};

/// The first of: SentencePiece's tokenizer.model, tokenizer.json, ranks in tokenizer.model, tekken.json, and
/// files of ranks by their names.
OwnVocabulary find_own_vocabulary(const std::string& directory) {
  const std::string model = directory + "/tokenizer.model", json = directory + "/tokenizer.json";
  const TokenizerFormat format = exists(model) ? tokenizer_format(model) : TokenizerFormat::kNone;
  if (exists(model) && format != TokenizerFormat::kRanks) return {model, TokenizerFormat::kSentencePiece};
  if (exists(json)) return {json, TokenizerFormat::kTokenizerJson};
  if (format == TokenizerFormat::kRanks) return {model, format};
  if (exists(directory + "/tekken.json")) return {directory + "/tekken.json", TokenizerFormat::kTekken};
  for (const std::string& name : files_in(directory)) {
    if (!name.ends_with(".tiktoken") && name != "tiktoken.model") continue;
    return {directory + "/" + name, TokenizerFormat::kRanks};
  }
  return {};
}

/// That file's; that of tokenizer.json where tokenizer.model is of a kind that GGUF files do not have.
Result<Gguf> own_vocabulary(const OwnVocabulary& own, const std::string& directory, std::uint32_t size,
                            bool only_gguf) {
  auto made = file_vocabulary(own.format, own.path, size, only_gguf);
  const bool is_refused = !made && made.error().code == ErrorCode::kUnsupported;
  const std::string json = directory + "/tokenizer.json";
  if (!is_refused || own.format != TokenizerFormat::kSentencePiece || !exists(json)) return made;
  return file_vocabulary(TokenizerFormat::kTokenizerJson, json, size, only_gguf);
}

}  // namespace

Result<Gguf> open_vocabulary(const std::string& directory, const VocabularyPaths& paths, std::uint32_t size) {
  if (!paths.given.empty()) return open_gguf_file(paths.given);
  const OwnVocabulary own = find_own_vocabulary(directory);
  if (own.format != TokenizerFormat::kNone) return own_vocabulary(own, directory, size, paths.only_gguf);
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
