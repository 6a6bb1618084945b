// Models without a tokenizer (tokenizer.ggml.model "none"): they take and give ids.
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// Refuses to encode text; an id is decoded to its digits, with a space before. The number of ids is
/// <family>.vocab_size or the number of rows of token_embd.weight. Error: kBadFile if the file says neither,
/// or none to 2^22.
Result<std::unique_ptr<Tokenizer>> read_ids_only(const Gguf& file);

}  // namespace partita::internal
