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
#include "tokenizer/jinja/token_reader.h"

namespace partita::internal::jinja {

class ExpressionParser : protected TokenReader {
 public:
  using TokenReader::TokenReader;

 protected:
  // The implicit parameters of a macro that its body uses.
  struct MacroUses {
    bool varargs = false, kwargs = false, caller = false;
  };

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

  ExpressionPtr make(Place place, int height, Node node) const;
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
};

}  // namespace partita::internal::jinja
