#include "api/model_file.h"

#include <filesystem>

#include "api/convert/open_checkpoint.h"
#include "api/convert/tokenizer_file.h"
#include "api/gguf_file.h"
#include "partita/partita.hpp"

namespace partita::internal {
namespace {

/// A tokenizer by its contents, or, where these are damaged, by its name.
TokenizerFormat format_of(const std::string& path) {
  if (path == kBundledModel) return TokenizerFormat::kNone;
  const TokenizerFormat format = tokenizer_format(path);
  if (format != TokenizerFormat::kNone) return format;
  const auto name = std::filesystem::path(path).filename();
  if (name == "tokenizer.json") return TokenizerFormat::kTokenizerJson;
  return name == "tokenizer.model" ? TokenizerFormat::kSentencePiece : TokenizerFormat::kNone;
}

}  // namespace

bool is_checkpoint(const std::string& path) {
  const std::filesystem::path config = std::filesystem::path(path) / "config.json";
  std::error_code none;
  return path != kBundledModel && std::filesystem::exists(config, none);
}

Result<Gguf> open_model_file(const std::string& path, const std::string& vocabulary) {
  if (is_checkpoint(path)) {
    const auto opened =
        open_checkpoint(path, {.given = vocabulary, .instead = {}, .only_gguf = false}, std::nullopt);
    return opened ? opened->file.open(printable(path)) : opened.error();
  }
  const TokenizerFormat format = format_of(path);
  return format == TokenizerFormat::kNone ? open_gguf_file(path) : file_vocabulary(format, path, 0, false);
}

}  // namespace partita::internal
