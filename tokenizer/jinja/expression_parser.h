// The parser for expressions; the parser for statements (parser.cc) derives from it.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/lexer.h"

namespace partita::internal::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  // Counts the open brackets and blocks around the current token; fails past kMaxNesting.
  class NestingGuard {
   public:
    explicit NestingGuard(ExpressionParser& parser);
    ~NestingGuard() { --parser_.nesting_; }
    NestingGuard(const NestingGuard&) = delete;
    NestingGuard& operator=(const NestingGuard&) = delete;

   private:
    ExpressionParser& parser_;
  };

  // The implicit parameters of a macro that its body uses.
  struct MacroUses {
    bool varargs = false, kwargs = false, caller = false;
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

  /// An expression, or a tuple without brackets. `condition`: whether "x if y" is allowed.
  ExpressionPtr parse_tuple(bool condition = true, bool brackets = false);
  ExpressionPtr parse_expression(bool condition = true);
  /// name(arguments), after a "|".
  FilterCall parse_filter_call();
  /// A name that is not a constant.
  std::string parse_target_name();
  /// One name or several. `attributes`: whether namespace.attribute is allowed.
  Target parse_target(bool attributes);

  static bool is_constant(std::string_view name);

  std::vector<MacroUses*> macros_;  // macros around the current token
  /// Unknown filters and tests in code that always runs: position and name. A branch removes those inside it,
  /// because they are an error only if they are reached.
  std::vector<std::pair<Token, std::string>> unknown_;

 private:
  using Node = decltype(Expression::node);

  ExpressionPtr make(int line, int height, Node node) const;
  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_comparison();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concatenation();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool filters);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_name();
  ExpressionPtr parse_number();
  ExpressionPtr parse_string();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr expression);
  ExpressionPtr parse_filters(ExpressionPtr expression);
  ExpressionPtr parse_dot(ExpressionPtr object);
  ExpressionPtr parse_subscript(ExpressionPtr object);
  ExpressionPtr parse_call(ExpressionPtr callee);
  ExpressionPtr parse_test(ExpressionPtr input);
  CallArguments parse_arguments();
  void parse_argument(CallArguments& arguments);
  bool at_comparison(Comparison& op) const;
  bool at_tuple_end() const;
  Target parse_target_part(bool attributes);
  std::string parse_dotted_name();

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t nesting_ = 0;
};

}  // namespace partita::internal::jinja
