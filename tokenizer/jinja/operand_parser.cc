// The operands of expressions: literals, calls, subscripts, filters, tests, and targets of assignments.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "tokenizer/jinja/expression_parser.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/parse_number.h"
#include "tokenizer/jinja/runtime.h"
#include "tokenizer/jinja/tests.h"

namespace partita::internal::jinja {

bool ExpressionParser::is_constant(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kConstants = {"true", "false", "none",
                                                                 "True", "False", "None"};
  return std::find(kConstants.begin(), kConstants.end(), name) != kConstants.end();
}

ExpressionPtr ExpressionParser::parse_primary() {
  switch (current().type) {
    case TokenType::kName:
      return parse_name();
    case TokenType::kString:
      return parse_string();
    case TokenType::kInteger:
    case TokenType::kFloat:
      return parse_number();
    default:
      break;
  }
  if (is_operator("[")) return parse_list();
  if (is_operator("{")) return parse_dict();
  if (!skip_operator("(")) fail("unexpected " + describe(current()));
  ExpressionPtr inner = parse_tuple(true, true);
  expect_operator(")");
  return inner;
}

ExpressionPtr ExpressionParser::parse_name() {
  const Place place = current().place;
  const std::string name = expect_name();
  if (name == "true" || name == "True") return make(place, 1, Literal{Value(true)});
  if (name == "false" || name == "False") return make(place, 1, Literal{Value(false)});
  if (is_constant(name)) return make(place, 1, Literal{Value(None{})});
  for (MacroUses* uses : macros_) {
    uses->varargs = uses->varargs || name == "varargs";
    uses->kwargs = uses->kwargs || name == "kwargs";
    uses->caller = uses->caller || name == "caller";
  }
  return make(place, 1, Name{name});
}

ExpressionPtr ExpressionParser::parse_string() {
  const Place place = current().place;
  Text text;
  for (; current().type == TokenType::kString; advance()) text.append(current().text, false);
  return make(place, 1, Literal{Value(std::make_shared<const Text>(std::move(text)))});
}

ExpressionPtr ExpressionParser::parse_number() {
  const Token& token = current();
  const std::string& text = token.text;
  Value value;
  if (token.type == TokenType::kFloat) {
    const auto number = parse_float(text);
    if (!number) fail("bad number " + describe(token));
    value = Value(*number);
  } else {
    const bool prefixed = text.size() > 1 && text[0] == '0' && text[1] > '9';
    const int base = !prefixed ? 10 : (text[1] | 0x20) == 'x' ? 16 : (text[1] | 0x20) == 'o' ? 8 : 2;
    const char* begin = text.data() + (prefixed ? 2 : 0);
    if (!prefixed && text[0] == '0' && text.find_first_not_of('0') != std::string::npos) {
      fail("a number cannot begin with 0");
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number, base);
    if (error == std::errc::result_out_of_range) unsupported(token, "an integer beyond 64 bits");
    if (error != std::errc() || end != text.data() + text.size()) fail("bad number " + describe(token));
    value = Value(number);
  }
  const Place place = token.place;
  advance();
  return make(place, 1, Literal{std::move(value)});
}

ExpressionPtr ExpressionParser::parse_list() {
  const Place place = current().place;
  expect_operator("[");
  std::vector<ExpressionPtr> items;
  while (!is_operator("]")) {
    items.push_back(parse_expression());
    if (!is_operator("]")) expect_operator(",");
  }
  expect_operator("]");
  const int height = 1 + height_of(items);
  return make(place, height, SequenceLiteral{SequenceKind::kList, std::move(items)});
}

ExpressionPtr ExpressionParser::parse_dict() {
  const Place place = current().place;
  expect_operator("{");
  DictLiteral dict;
  int height = 0;
  while (!is_operator("}")) {
    ExpressionPtr key = parse_expression();
    expect_operator(":");
    ExpressionPtr value = parse_expression();
    height = std::max({height, height_of(key), height_of(value)});
    dict.items.emplace_back(std::move(key), std::move(value));
    if (!is_operator("}")) expect_operator(",");
  }
  expect_operator("}");
  return make(place, height + 1, std::move(dict));
}

ExpressionPtr ExpressionParser::parse_postfix(ExpressionPtr expression) {
  while (true) {
    if (is_operator(".")) {
      expression = parse_dot(std::move(expression));
    } else if (is_operator("[")) {
      expression = parse_subscript(std::move(expression));
    } else if (is_operator("(")) {
      expression = parse_call(std::move(expression));
    } else {
      return expression;
    }
  }
}

ExpressionPtr ExpressionParser::parse_filters(ExpressionPtr expression) {
  while (true) {
    if (is_operator("|")) {
      const Place place = current().place;
      advance();
      FilterCall call = parse_filter_call();
      const int height = 1 + std::max(height_of(expression), height_of(call.arguments));
      expression = make(place, height, Filtered{std::move(expression), std::move(call)});
    } else if (is_name("is")) {
      expression = parse_test(std::move(expression));
    } else if (is_operator("(")) {
      expression = parse_call(std::move(expression));
    } else {
      return expression;
    }
  }
}

ExpressionPtr ExpressionParser::parse_dot(ExpressionPtr object) {
  const Place place = current().place;
  expect_operator(".");
  const int height = 1 + height_of(object);
  if (current().type == TokenType::kInteger) {
    ExpressionPtr key = parse_number();
    return make(place, height, Subscript{std::move(object), std::move(key)});
  }
  std::string name = expect_name();
  return make(place, height, Attribute{std::move(object), std::move(name)});
}

ExpressionPtr ExpressionParser::parse_subscript(ExpressionPtr object) {
  const Token& open = current();
  const Place place = open.place;
  expect_operator("[");
  const auto at_end = [this] { return is_operator(":") || is_operator("]"); };
  ExpressionPtr start = at_end() ? nullptr : parse_expression();
  if (is_operator(",")) unsupported(open, "an index of several parts");
  if (start && skip_operator("]")) {
    const int height = 1 + std::max(height_of(object), height_of(start));
    return make(place, height, Subscript{std::move(object), std::move(start)});
  }
  expect_operator(":");
  ExpressionPtr stop = at_end() ? nullptr : parse_expression();
  ExpressionPtr step = skip_operator(":") && !at_end() ? parse_expression() : nullptr;
  expect_operator("]");
  const int height = 1 + std::max({height_of(object), height_of(start), height_of(stop), height_of(step)});
  return make(place, height, Slice{std::move(object), std::move(start), std::move(stop), std::move(step)});
}

void ExpressionParser::parse_argument(CallArguments& arguments) {
  const bool closed = arguments.double_star != nullptr;
  if (is_operator("*")) {
    if (closed || arguments.star) fail("unexpected '*' in a call");
    advance();
    arguments.star = parse_expression();
  } else if (is_operator("**")) {
    if (closed) fail("unexpected '**' in a call");
    advance();
    arguments.double_star = parse_expression();
  } else if (current().type == TokenType::kName && ahead().type == TokenType::kOperator &&
             ahead().text == "=") {
    if (closed) fail("unexpected named argument after '**'");
    std::string name = expect_name();
    advance();
    arguments.named.emplace_back(std::move(name), parse_expression());
  } else {
    if (closed || arguments.star || !arguments.named.empty()) fail("unexpected positional argument");
    arguments.positional.push_back(parse_expression());
  }
}

CallArguments ExpressionParser::parse_arguments() {
  CallArguments arguments;
  expect_operator("(");
  while (!is_operator(")")) {
    parse_argument(arguments);
    if (!is_operator(")")) expect_operator(",");
  }
  expect_operator(")");
  return arguments;
}

ExpressionPtr ExpressionParser::parse_call(ExpressionPtr callee) {
  const Place place = current().place;
  CallArguments arguments = parse_arguments();
  const int height = 1 + std::max(height_of(callee), height_of(arguments));
  return make(place, height, Call{std::move(callee), std::move(arguments)});
}

std::string ExpressionParser::parse_dotted_name() {
  std::string name = expect_name();
  while (skip_operator(".")) name += "." + expect_name();
  return name;
}

FilterCall ExpressionParser::parse_filter_call() {
  const Token& token = current();
  FilterCall call{parse_dotted_name(), nullptr, {}, token.place};
  call.filter = find_filter(call.name);
  if (call.filter == nullptr) unknown_.emplace_back(token, "the filter '" + call.name + "'");
  if (is_operator("(")) call.arguments = parse_arguments();
  return call;
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr input) {
  const Place place = current().place;
  advance();
  const bool negated = skip_name("not");
  const Token& token = current();
  Tested tested{std::move(input), parse_dotted_name(), nullptr, {}};
  tested.test = find_test(tested.name);
  if (tested.test == nullptr) unknown_.emplace_back(token, "the test '" + tested.name + "'");
  const bool operand =
      current().type == TokenType::kString || current().type == TokenType::kInteger ||
      current().type == TokenType::kFloat || is_operator("[") || is_operator("{") ||
      (current().type == TokenType::kName && !is_name("else") && !is_name("or") && !is_name("and"));
  if (is_operator("(")) {
    tested.arguments = parse_arguments();
  } else if (operand) {
    if (is_name("is")) fail("tests with 'is' cannot follow one another");
    ExpressionPtr argument = parse_primary();
    tested.arguments.positional.push_back(parse_postfix(std::move(argument)));
  }
  const int height = 1 + std::max(height_of(tested.input), height_of(tested.arguments));
  ExpressionPtr test = make(place, height, std::move(tested));
  return negated ? make(place, height + 1, Unary{UnaryOperator::kNot, std::move(test)}) : std::move(test);
}

std::string ExpressionParser::parse_target_name() {
  const Token& token = current();
  std::string name = expect_name();
  if (is_constant(name)) fail_at(token, "cannot assign to '" + name + "'");
  return name;
}

Target ExpressionParser::parse_target_part(bool attributes) {
  Target target;
  target.place = current().place;
  if (skip_operator("(")) {
    target = parse_target(false);
    expect_operator(")");
    return target;
  }
  target.name = parse_target_name();
  if (attributes && skip_operator(".")) target.attribute = expect_name();
  return target;
}

Target ExpressionParser::parse_target(bool attributes) {
  const NestingGuard nesting(*this);
  Target first = parse_target_part(attributes);
  if (!is_operator(",")) return first;
  Target target;
  target.place = first.place;
  target.is_tuple = true;
  target.parts.push_back(std::move(first));
  while (skip_operator(",")) {
    const bool ends = at_tuple_end() || is_operator("=");
    if (ends) break;
    target.parts.push_back(parse_target_part(attributes));
  }
  return target;
}

}  // namespace partita::internal::jinja
