// Which tokenizers of tokenizer.json are one that the metadata of GGUF files can name.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "partita/result.hpp"
#include "tokenizer/json/added_tokens.h"

namespace partita::internal {

/// tokenizer.ggml.pre of a byte-level BPE tokenizer (tokenizer.ggml.model "gpt2") that encodes as the file
/// does. Errors: kBadFile for a field of another form; kUnsupported, naming the component that GGUF files
/// have no name for. NFC, which Qwen's models have before it, is passed over, as llama.cpp does.
Result<std::string> gguf_pre_tokenizer(const nlohmann::json& file, const std::vector<AddedToken>& added);

}  // namespace partita::internal
