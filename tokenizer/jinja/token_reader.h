// Reads the tokens of a template one after another, with the errors of a parser.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/jinja/lexer.h"

namespace partita::internal::jinja {

class TokenReader {
 public:
  explicit TokenReader(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  // Counts the open brackets and blocks around the current token; fails past kMaxNesting.
  class NestingGuard {
   public:
    explicit NestingGuard(TokenReader& reader);
    ~NestingGuard() { --reader_.nesting_; }
    NestingGuard(const NestingGuard&) = delete;
    NestingGuard& operator=(const NestingGuard&) = delete;

   private:
    TokenReader& reader_;
  };

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  void advance() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }
  bool is(TokenType type, std::string_view text) const {
    return current().type == type && current().text == text;
  }
  bool is_operator(std::string_view text) const { return is(TokenType::kOperator, text); }
  bool is_name(std::string_view text) const { return is(TokenType::kName, text); }
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  void expect_operator(std::string_view text);
  std::string expect_name();

  [[noreturn]] void fail(const std::string& what) const { fail_at(current(), what); }
  [[noreturn]] void fail_at(const Token& token, const std::string& what) const;
  [[noreturn]] void unsupported(const Token& token, const std::string& construct) const;
  static std::string describe(const Token& token);

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t nesting_ = 0;
};

}  // namespace partita::internal::jinja
