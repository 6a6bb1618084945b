// WordPiece vocabularies of GGUF files (BERT).
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// From a GGUF file whose tokenizer.ggml.model is "bert": tokens that begin a word have the mark U+2581
/// before them. Text is split at white space and around punctuation and ideographs; control characters are
/// dropped, and, unless tokenizer.ggml.normalizer says otherwise, letters become small and lose their
/// accents. So decode() gives words with spaces between, not the text. Errors: those of read_tokens() and
/// read_specials().
Result<std::unique_ptr<Tokenizer>> read_gguf_wordpiece(const Gguf& file);

}  // namespace partita::internal
