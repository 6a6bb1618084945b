// The tokenizer.model of a checkpoint as metadata of a model file. Internal to api/.
#pragma once

#include <cstdint>
#include <string>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// The metadata that llama.cpp's converter writes for the tokenizer.model at `path`, and added_tokens.json
/// and tokenizer_config.json beside it, with `size` tokens (0: as many as tokenizer.model has). Errors: those
/// of InputFile and read_json(); kBadFile for more pieces than `size`, for tokens outside it, and for other
/// types than those of the format; kUnsupported for pieces that are not merged by score (unigram, word,
/// char), and for a normalizer that changes characters.
Result<Gguf> sentencepiece_vocabulary(const std::string& path, std::uint32_t size);

}  // namespace partita::internal
