// Byte-level BPE, as GPT-2, Llama 3, Qwen and SmolLM use it.
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita {

/// From a GGUF file whose tokenizer.ggml.model is "gpt2". Text comes back as it was, byte for byte, except
/// for bytes without a token in the vocabulary: those become its unknown token if it has one, else they are
/// left out, as the reference implementations do.
/// Errors: kUnsupported for an unknown pre-tokenizer; kBadFile naming what contradicts the vocabulary.
Result<std::unique_ptr<Tokenizer>> read_byte_bpe(const Gguf& file);

}  // namespace partita
