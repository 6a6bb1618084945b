// SentencePiece BPE for vocabularies in GGUF files: pieces with scores, best score merged first.
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// From a GGUF file whose tokenizer.ggml.model is "llama". The ids equal those of SentencePiece's BPE model
/// except for two inputs that SentencePiece cannot restore: U+2581, its mark for a space, and invalid UTF-8.
/// Partita encodes both with byte tokens, so that decode() restores every text. encode() error: kUnsupported
/// with the character if the vocabulary has no piece, no byte tokens and no unknown token for it.
Result<std::unique_ptr<Tokenizer>> read_piece_bpe(const Gguf& file);

}  // namespace partita::internal
