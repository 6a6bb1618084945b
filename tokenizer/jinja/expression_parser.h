// The half of the parser that reads expressions; statements build on it.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/lexer.h"

namespace partita::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  // Counts what is open around the current token; fails past kMaxNesting.
  class Nested {
   public:
    explicit Nested(ExpressionParser& parser);
    ~Nested() { --parser_.nesting_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    ExpressionParser& parser_;
  };

  // Names of a macro's hidden parameters that its body mentions.
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

  /// An expression, or a tuple of them without brackets. `condition`: whether "x if y" may stand there.
  ExpressionPtr parse_tuple(bool condition = true, bool brackets = false);
  ExpressionPtr parse_expression(bool condition = true);
  /// name(arguments), behind a "|".
  FilterCall parse_filter_call();
  /// A name that is not a constant.
  std::string parse_target_name();
  /// One name or several. `attributes`: whether namespace.attribute may stand there.
  Target parse_target(bool attributes);

  static bool is_constant(std::string_view name);

  std::vector<MacroUses*> macros_;  // macros around the current token
  /// Unknown filters and tests in code that surely runs: where, and what. A branch drops those inside it,
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

}  // namespace partita::jinja
