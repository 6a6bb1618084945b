// The tokenizer.json of a checkpoint as metadata of a model file. Internal to api/.
#pragma once

#include <cstdint>
#include <string>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// The metadata that llama.cpp's converter writes for the tokenizer.json at `path` and the files beside it
/// that name special tokens, with `size` tokens (0: as many as there are), if GGUF files can express it;
/// else, unless `only_gguf`, tokens and special ids with the text of tokenizer.json
/// (tokenizer.huggingface.json). Errors: those of InputFile, read_json() and make_json_tokenizer(); kBadFile
/// for ids that are not below `size`; with `only_gguf` kUnsupported, naming the component that GGUF files
/// cannot express.
Result<Gguf> json_vocabulary(const std::string& path, std::uint32_t size, bool only_gguf);

}  // namespace partita::internal
