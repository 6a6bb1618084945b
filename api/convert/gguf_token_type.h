// The numbers of tokenizer.ggml.token_type. Internal to api/.
#pragma once

#include <cstdint>

#include "tokenizer/token.h"

namespace partita::internal {

/// llama_token_type.
constexpr std::int32_t gguf_token_type(TokenKind kind) {
  switch (kind) {
    case TokenKind::kUnknown:
      return 2;
    case TokenKind::kControl:
      return 3;
    case TokenKind::kUserDefined:
      return 4;
    case TokenKind::kUnused:
      return 5;
    case TokenKind::kByte:
      return 6;
    case TokenKind::kNormal:
      break;
  }
  return 1;
}

}  // namespace partita::internal
