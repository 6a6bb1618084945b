// Tokenizers of SentencePiece .model files (BPE and unigram), through the SentencePiece library.
#pragma once

#include <memory>
#include <string>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"

namespace partita::internal {

/// For safetensors checkpoints. Only tests call this: `partita convert` takes the vocabulary from a GGUF
/// file.
Result<std::unique_ptr<Tokenizer>> open_sentencepiece(const std::string& path);

}  // namespace partita::internal
