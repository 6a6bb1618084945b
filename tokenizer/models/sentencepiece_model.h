// Tokenizers of SentencePiece .model files (BPE and unigram), through the SentencePiece library.
#pragma once

#include <memory>
#include <string>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"

namespace partita::internal {

/// Only tests call this: a checkpoint's tokenizer.model is opened as a vocabulary of a GGUF file
/// (api/convert/sentencepiece_vocabulary.h).
Result<std::unique_ptr<Tokenizer>> open_sentencepiece(const std::string& path);

}  // namespace partita::internal
