// Opens the tokenizer of a GGUF file.
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// From the vocabulary in a GGUF file: tokenizer.ggml.model "gpt2" (byte-level BPE), "llama" (score-based
/// SentencePiece), "gemma4" (BPE over characters), "rwkv", "bert" (WordPiece), "t5" (unigram) or "none";
/// without it, from the tokenizer.json in tokenizer.huggingface.json. Error: kUnsupported for others.
Result<std::unique_ptr<Tokenizer>> open_tokenizer(const Gguf& file);

}  // namespace partita::internal
