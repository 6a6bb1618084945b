// Files that hold a tokenizer alone, known by their contents. Internal to api/.
#pragma once

#include <cstdint>
#include <string>

#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

enum class TokenizerFormat : std::uint8_t {
  kNone,           // another file, or none that can be read
  kTokenizerJson,  // of Hugging Face
  kSentencePiece,
  kTekken,
  kRanks,  // of tiktoken
};

/// By the first 64 KiB of a file.
TokenizerFormat tokenizer_format(const std::string& path);

/// The vocabulary of a file as metadata of a model file. Precondition: the format is not kNone. size,
/// only_gguf, errors: those of json_vocabulary(), sentencepiece_vocabulary() and rank_vocabulary().
Result<Gguf> file_vocabulary(TokenizerFormat format, const std::string& path, std::uint32_t size,
                             bool only_gguf);

}  // namespace partita::internal
