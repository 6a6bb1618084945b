// Tokenizers of Hugging Face's tokenizer.json: normalizer, pre-tokenizer, model, post-processor, decoder.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// What other files of a model say about a tokenizer.
struct JsonTokenizerSettings {
  SpecialIds ids;                        // add_bos and add_eos are not read
  std::optional<bool> add_bos, add_eos;  // none: as the post-processor says
};

/// The tokenizer of a parsed file, which is not needed afterwards. Text is encoded as by Hugging Face's
/// tokenizers; bytes that are not UTF-8 become their byte tokens, if the vocabulary has them, else U+FFFD.
/// Errors: kBadFile for a field of another form; kUnsupported for a component that this version does not
/// know.
Result<std::unique_ptr<Tokenizer>> make_json_tokenizer(const nlohmann::json& file,
                                                       JsonTokenizerSettings settings);

/// The format has one version, "1.0", which files may leave out. Error: kUnsupported for another.
Result<void> check_json_version(const nlohmann::json& file);

/// The same from the text of a file. `where` begins error messages.
Result<std::unique_ptr<Tokenizer>> read_json_tokenizer(std::string_view text, std::string_view where);

/// From a model file whose tokenizer.huggingface.json is such a text, and whose tokens are its vocabulary.
Result<std::unique_ptr<Tokenizer>> read_json_tokenizer(const Gguf& file);

/// The metadata key of the text.
inline constexpr const char* kTokenizerJsonKey = "tokenizer.huggingface.json";

}  // namespace partita::internal
