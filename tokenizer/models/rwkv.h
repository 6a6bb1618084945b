// The tokenizer of RWKV: at every place of a text the longest token that is there.
#pragma once

#include <memory>

#include "partita/result.hpp"
#include "tokenizer/tokenizer.h"
#include "weights/gguf/gguf.h"

namespace partita::internal {

/// From a GGUF file whose tokenizer.ggml.model is "rwkv". Its tokens are any bytes, spelled with the escapes
/// \t, \n, \r and \xHH; before another character a backslash stands for that character. Bytes without a token
/// become the unknown token if there is one, else they are dropped. Errors: kBadFile with the token whose
/// escape is incomplete.
Result<std::unique_ptr<Tokenizer>> read_rwkv(const Gguf& file);

}  // namespace partita::internal
