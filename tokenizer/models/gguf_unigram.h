// Unigram vocabularies of GGUF files (T5, XLM-RoBERTa).
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// From a GGUF file whose tokenizer.ggml.model is "t5": the pieces of a SentencePiece model, their scores,
/// and its table of normal forms (tokenizer.ggml.precompiled_charsmap). Errors: those of read_tokens(),
/// read_scores() and read_specials(); kBadFile for a table that is not valid.
Result<std::unique_ptr<Tokenizer>> read_gguf_unigram(const Gguf& file);

}  // namespace partita::internal
