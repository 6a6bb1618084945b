#include "tokenizer/jinja/token_reader.h"

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

TokenReader::NestingGuard::NestingGuard(TokenReader& reader) : reader_(reader) {
  if (++reader.nesting_ > kMaxNesting) {
    --reader.nesting_;
    reader.unsupported(reader.current(), "nesting deeper than " + std::to_string(kMaxNesting));
  }
}

bool TokenReader::skip_operator(std::string_view text) {
  if (!is_operator(text)) return false;
  advance();
  return true;
}

bool TokenReader::skip_name(std::string_view text) {
  if (!is_name(text)) return false;
  advance();
  return true;
}

void TokenReader::expect_operator(std::string_view text) {
  if (!skip_operator(text)) fail("expected '" + std::string(text) + "', got " + describe(current()));
}

std::string TokenReader::expect_name() {
  if (current().type != TokenType::kName) fail("expected a name, got " + describe(current()));
  std::string name = current().text;
  advance();
  return name;
}

void TokenReader::fail_at(const Token& token, const std::string& what) const {
  throw JinjaError{{ErrorCode::kBadFile, message_begin(token.place) + what}};
}

void TokenReader::unsupported(const Token& token, const std::string& construct) const {
  throw JinjaError{{ErrorCode::kUnsupported, message_begin(token.place) + construct + " is not supported"}};
}

std::string TokenReader::describe(const Token& token) {
  switch (token.type) {
    case TokenType::kData:
      return "text";
    case TokenType::kVariableBegin:
      return "'{{'";
    case TokenType::kVariableEnd:
      return "'}}'";
    case TokenType::kBlockBegin:
      return "'{%'";
    case TokenType::kBlockEnd:
      return "'%}'";
    case TokenType::kString:
      return "a string";
    case TokenType::kEnd:
      return "the end of the template";
    default:
      return "'" + token.text.substr(0, 80) + "'";
  }
}

}  // namespace partita::internal::jinja
