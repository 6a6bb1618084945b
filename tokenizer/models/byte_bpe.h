// Byte-level BPE tokenizers (GPT-2, Llama 3, Qwen, SmolLM).
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// From a GGUF file whose tokenizer.ggml.model is "gpt2". Decoding restores the text byte for byte, except
/// for bytes without a token in the vocabulary: they become the unknown token if there is one, else they are
/// dropped, as in the reference implementations. Errors: kUnsupported for an unknown pre-tokenizer; kBadFile
/// with the entry that is inconsistent with the vocabulary.
Result<std::unique_ptr<Tokenizer>> read_byte_bpe(const Gguf& file);

/// tokenizer.ggml.pre of a model file in memory whose words are those of the expression in another key: one
/// that has no name.
inline constexpr const char* kExpressionScheme = "expression";
inline constexpr const char* kExpressionKey = "tokenizer.partita.expression";

}  // namespace partita::internal
