// SentencePiece vocabularies in GGUF files: pieces with scores, merged the best first.
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita {

/// From a GGUF file whose tokenizer.ggml.model is "llama". The ids are those of SentencePiece's BPE model,
/// but for two inputs that it cannot give back: U+2581, its own mark for a space, and bytes that are not
/// UTF-8. Both are written with the byte tokens here, so that decode() returns every text as it was.
/// encode() errors: kUnsupported naming the character if the vocabulary has no piece, no byte tokens and no
/// unknown token for it.
Result<std::unique_ptr<Tokenizer>> read_piece_bpe(const Gguf& file);

}  // namespace partita
