// Opens the tokenizer of a GGUF file.
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// From the vocabulary in a GGUF file: tokenizer.ggml.model "gpt2" (byte-level BPE; pre-tokenizers smollm,
/// llama-bpe, qwen2, gpt-2, default) or "llama" (score-based SentencePiece).
Result<std::unique_ptr<Tokenizer>> open_tokenizer(const Gguf& file);

}  // namespace partita::internal
