// Lexer: template source to tokens, with trim_blocks and lstrip_blocks on, as transformers sets them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/place.h"

namespace partita::internal::jinja {

enum class TokenType : std::uint8_t {
  kData,           // text between tags; `text` is the output
  kVariableBegin,  // {{
  kVariableEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,  // `text` is the string's value
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenType type;
  Place place;
  std::string text;
};

/// Removes comments, turns raw blocks into data, applies white-space control. The last token is kEnd. Throws
/// JinjaError: kBadFile with line and column.
std::vector<Token> tokenize(std::string_view source);

}  // namespace partita::internal::jinja
