// BPE with a list of merges over the characters of a text (Gemma 4, Sarvam, mmBERT). Spaces are U+2581 in the
// vocabulary, and characters that it lacks become byte tokens, as in SentencePiece.
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// Whether a file's tokenizer is one of these: tokenizer.ggml.model is "gemma4", or it is "gpt2" and
/// tokenizer.ggml.pre is "gemma4", "granite-embed-multi-311m", "sarvam-moe" or "mmbert".
bool is_text_bpe(const Gguf& file);

/// Precondition: is_text_bpe(file). Decoding restores the text, except that mmBERT's begins each line with a
/// space. Errors: kBadFile with the entry that is inconsistent with the vocabulary.
Result<std::unique_ptr<Tokenizer>> read_text_bpe(const Gguf& file);

}  // namespace partita::internal
