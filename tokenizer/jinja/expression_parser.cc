#include "tokenizer/jinja/expression_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/parse_number.h"
#include "tokenizer/jinja/runtime.h"
#include "tokenizer/jinja/tests.h"

namespace partita::internal::jinja {
namespace {

int height_of(const ExpressionPtr& expression) { return expression ? expression->height : 0; }

int height_of(const CallArguments& arguments) {
  int height = std::max(height_of(arguments.star), height_of(arguments.double_star));
  for (const auto& argument : arguments.positional) height = std::max(height, height_of(argument));
  for (const auto& [name, argument] : arguments.named) height = std::max(height, height_of(argument));
  return height;
}

int height_of(const std::vector<ExpressionPtr>& expressions) {
  int height = 0;
  for (const auto& expression : expressions) height = std::max(height, height_of(expression));
  return height;
}

}  // namespace

ExpressionParser::NestingGuard::NestingGuard(ExpressionParser& parser) : parser_(parser) {
  if (++parser.nesting_ > kMaxNesting) {
    --parser.nesting_;
    parser.unsupported(parser.current(), "nesting deeper than " + std::to_string(kMaxNesting));
  }
}

bool ExpressionParser::skip_operator(std::string_view text) {
  if (!is_operator(text)) return false;
  advance();
  return true;
}

bool ExpressionParser::skip_name(std::string_view text) {
  if (!is_name(text)) return false;
  advance();
  return true;
}

void ExpressionParser::expect_operator(std::string_view text) {
  if (!skip_operator(text)) fail("expected '" + std::string(text) + "', got " + describe(current()));
}

std::string ExpressionParser::expect_name() {
  if (current().type != TokenType::kName) fail("expected a name, got " + describe(current()));
  std::string name = current().text;
  advance();
  return name;
}

void ExpressionParser::fail_at(const Token& token, const std::string& what) const {
  throw JinjaError{{ErrorCode::kBadFile, "chat template, line " + std::to_string(token.line) + ", column " +
                                             std::to_string(token.column) + ": " + what}};
}

void ExpressionParser::unsupported(const Token& token, const std::string& construct) const {
  throw JinjaError{{ErrorCode::kUnsupported, "chat template, line " + std::to_string(token.line) + ": " +
                                                 construct + " is not supported"}};
}

std::string ExpressionParser::describe(const Token& token) {
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

bool ExpressionParser::is_constant(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kConstants = {"true", "false", "none",
                                                                 "True", "False", "None"};
  return std::find(kConstants.begin(), kConstants.end(), name) != kConstants.end();
}

ExpressionPtr ExpressionParser::make(int line, int height, Node node) const {
  if (height > kMaxExpressionHeight) {
    unsupported(current(), "an expression of more than " + std::to_string(kMaxExpressionHeight) +
                               " operators above one another");
  }
  return std::make_unique<const Expression>(Expression{line, height, std::move(node)});
}

bool ExpressionParser::at_tuple_end() const {
  return current().type == TokenType::kVariableEnd || current().type == TokenType::kBlockEnd ||
         is_operator(")") || is_name("in");
}

ExpressionPtr ExpressionParser::parse_tuple(bool condition, bool brackets) {
  const Token& first = current();
  const int line = first.line;
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  while (!at_tuple_end()) {
    items.push_back(parse_expression(condition));
    if (!is_operator(",")) break;
    advance();
    is_tuple = true;
  }
  if (!is_tuple && items.size() == 1) return std::move(items[0]);
  if (!is_tuple && !brackets) fail("expected an expression, got " + describe(current()));
  const int height = 1 + height_of(items);
  return make(line, height, SequenceLiteral{SequenceKind::kTuple, std::move(items)});
}

ExpressionPtr ExpressionParser::parse_expression(bool condition) {
  const NestingGuard nesting(*this);
  const int line = current().line;
  const std::size_t unknown = unknown_.size();
  ExpressionPtr then = parse_or();
  while (condition && skip_name("if")) {
    ExpressionPtr test = parse_or();
    ExpressionPtr otherwise = skip_name("else") ? parse_expression() : nullptr;
    unknown_.erase(unknown_.begin() + static_cast<std::ptrdiff_t>(unknown), unknown_.end());
    const int height = 1 + std::max({height_of(then), height_of(test), height_of(otherwise)});
    then = make(line, height, Conditional{std::move(test), std::move(then), std::move(otherwise)});
  }
  return then;
}

ExpressionPtr ExpressionParser::parse_or() {
  const int line = current().line;
  ExpressionPtr left = parse_and();
  while (skip_name("or")) {
    ExpressionPtr right = parse_and();
    const int height = 1 + std::max(height_of(left), height_of(right));
    left = make(line, height, Logical{true, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_and() {
  const int line = current().line;
  ExpressionPtr left = parse_not();
  while (skip_name("and")) {
    ExpressionPtr right = parse_not();
    const int height = 1 + std::max(height_of(left), height_of(right));
    left = make(line, height, Logical{false, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_not() {
  if (!is_name("not")) return parse_comparison();
  const NestingGuard nesting(*this);
  const int line = current().line;
  advance();
  ExpressionPtr operand = parse_not();
  const int height = 1 + height_of(operand);
  return make(line, height, Unary{UnaryOperator::kNot, std::move(operand)});
}

bool ExpressionParser::at_comparison(Comparison& op) const {
  static constexpr std::array<std::pair<std::string_view, Comparison>, 6> kComparisons = {{
      {"==", Comparison::kEqual},
      {"!=", Comparison::kNotEqual},
      {"<", Comparison::kLess},
      {"<=", Comparison::kLessEqual},
      {">", Comparison::kGreater},
      {">=", Comparison::kGreaterEqual},
  }};
  for (const auto& [text, comparison] : kComparisons) {
    op = comparison;
    if (is_operator(text)) return true;
  }
  op = is_name("not") ? Comparison::kNotIn : Comparison::kIn;
  return is_name("in") || (is_name("not") && ahead().type == TokenType::kName && ahead().text == "in");
}

ExpressionPtr ExpressionParser::parse_comparison() {
  const int line = current().line;
  ExpressionPtr first = parse_sum();
  Comparisons comparisons;
  int height = height_of(first);
  for (Comparison op; at_comparison(op);) {
    if (op == Comparison::kNotIn) advance();
    advance();
    ExpressionPtr next = parse_sum();
    height = std::max(height, height_of(next));
    comparisons.rest.emplace_back(op, std::move(next));
  }
  if (comparisons.rest.empty()) return first;
  comparisons.first = std::move(first);
  return make(line, height + 1, std::move(comparisons));
}

ExpressionPtr ExpressionParser::parse_sum() {
  const int line = current().line;
  ExpressionPtr left = parse_concatenation();
  while (is_operator("+") || is_operator("-")) {
    const BinaryOperator op = is_operator("+") ? BinaryOperator::kAdd : BinaryOperator::kSubtract;
    advance();
    ExpressionPtr right = parse_concatenation();
    const int height = 1 + std::max(height_of(left), height_of(right));
    left = make(line, height, Binary{op, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_concatenation() {
  const int line = current().line;
  ExpressionPtr first = parse_product();
  if (!is_operator("~")) return first;
  std::vector<ExpressionPtr> parts;
  parts.push_back(std::move(first));
  while (skip_operator("~")) parts.push_back(parse_product());
  const int height = 1 + height_of(parts);
  return make(line, height, Concatenation{std::move(parts)});
}

ExpressionPtr ExpressionParser::parse_product() {
  static constexpr std::array<std::pair<std::string_view, BinaryOperator>, 4> kProducts = {{
      {"*", BinaryOperator::kMultiply},
      {"/", BinaryOperator::kDivide},
      {"//", BinaryOperator::kFloorDivide},
      {"%", BinaryOperator::kModulo},
  }};
  const int line = current().line;
  ExpressionPtr left = parse_power();
  while (true) {
    const auto op = std::find_if(kProducts.begin(), kProducts.end(),
                                 [this](const auto& product) { return is_operator(product.first); });
    if (op == kProducts.end()) return left;
    advance();
    ExpressionPtr right = parse_power();
    const int height = 1 + std::max(height_of(left), height_of(right));
    left = make(line, height, Binary{op->second, std::move(left), std::move(right)});
  }
}

// Jinja's ** associates to the left, unlike Python's.
ExpressionPtr ExpressionParser::parse_power() {
  const int line = current().line;
  ExpressionPtr left = parse_unary(true);
  while (skip_operator("**")) {
    ExpressionPtr right = parse_unary(true);
    const int height = 1 + std::max(height_of(left), height_of(right));
    left = make(line, height, Binary{BinaryOperator::kPower, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_unary(bool filters) {
  const int line = current().line;
  ExpressionPtr expression;
  if (is_operator("-") || is_operator("+")) {
    const NestingGuard nesting(*this);
    const UnaryOperator op = is_operator("-") ? UnaryOperator::kNegate : UnaryOperator::kPlus;
    advance();
    ExpressionPtr operand = parse_unary(false);
    const int height = 1 + height_of(operand);
    expression = make(line, height, Unary{op, std::move(operand)});
  } else {
    expression = parse_primary();
  }
  expression = parse_postfix(std::move(expression));
  return filters ? parse_filters(std::move(expression)) : std::move(expression);
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
  const int line = current().line;
  const std::string name = expect_name();
  if (name == "true" || name == "True") return make(line, 1, Literal{Value(true)});
  if (name == "false" || name == "False") return make(line, 1, Literal{Value(false)});
  if (is_constant(name)) return make(line, 1, Literal{Value(None{})});
  for (MacroUses* uses : macros_) {
    uses->varargs = uses->varargs || name == "varargs";
    uses->kwargs = uses->kwargs || name == "kwargs";
    uses->caller = uses->caller || name == "caller";
  }
  return make(line, 1, Name{name});
}

ExpressionPtr ExpressionParser::parse_string() {
  const int line = current().line;
  Text text;
  for (; current().type == TokenType::kString; advance()) text.append(current().text, false);
  return make(line, 1, Literal{Value(std::make_shared<const Text>(std::move(text)))});
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
  const int line = token.line;
  advance();
  return make(line, 1, Literal{std::move(value)});
}

ExpressionPtr ExpressionParser::parse_list() {
  const int line = current().line;
  expect_operator("[");
  std::vector<ExpressionPtr> items;
  while (!is_operator("]")) {
    items.push_back(parse_expression());
    if (!is_operator("]")) expect_operator(",");
  }
  expect_operator("]");
  const int height = 1 + height_of(items);
  return make(line, height, SequenceLiteral{SequenceKind::kList, std::move(items)});
}

ExpressionPtr ExpressionParser::parse_dict() {
  const int line = current().line;
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
  return make(line, height + 1, std::move(dict));
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
      const int line = current().line;
      advance();
      FilterCall call = parse_filter_call();
      const int height = 1 + std::max(height_of(expression), height_of(call.arguments));
      expression = make(line, height, Filtered{std::move(expression), std::move(call)});
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
  const int line = current().line;
  expect_operator(".");
  const int height = 1 + height_of(object);
  if (current().type == TokenType::kInteger) {
    ExpressionPtr key = parse_number();
    return make(line, height, Subscript{std::move(object), std::move(key)});
  }
  std::string name = expect_name();
  return make(line, height, Attribute{std::move(object), std::move(name)});
}

ExpressionPtr ExpressionParser::parse_subscript(ExpressionPtr object) {
  const Token& open = current();
  const int line = open.line;
  expect_operator("[");
  const auto at_end = [this] { return is_operator(":") || is_operator("]"); };
  ExpressionPtr start = at_end() ? nullptr : parse_expression();
  if (is_operator(",")) unsupported(open, "an index of several parts");
  if (start && skip_operator("]")) {
    const int height = 1 + std::max(height_of(object), height_of(start));
    return make(line, height, Subscript{std::move(object), std::move(start)});
  }
  expect_operator(":");
  ExpressionPtr stop = at_end() ? nullptr : parse_expression();
  ExpressionPtr step = skip_operator(":") && !at_end() ? parse_expression() : nullptr;
  expect_operator("]");
  const int height = 1 + std::max({height_of(object), height_of(start), height_of(stop), height_of(step)});
  return make(line, height, Slice{std::move(object), std::move(start), std::move(stop), std::move(step)});
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
  const int line = current().line;
  CallArguments arguments = parse_arguments();
  const int height = 1 + std::max(height_of(callee), height_of(arguments));
  return make(line, height, Call{std::move(callee), std::move(arguments)});
}

std::string ExpressionParser::parse_dotted_name() {
  std::string name = expect_name();
  while (skip_operator(".")) name += "." + expect_name();
  return name;
}

FilterCall ExpressionParser::parse_filter_call() {
  const Token& token = current();
  FilterCall call{parse_dotted_name(), nullptr, {}, token.line};
  call.filter = find_filter(call.name);
  if (call.filter == nullptr) unknown_.emplace_back(token, "the filter '" + call.name + "'");
  if (is_operator("(")) call.arguments = parse_arguments();
  return call;
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr input) {
  const int line = current().line;
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
  ExpressionPtr test = make(line, height, std::move(tested));
  return negated ? make(line, height + 1, Unary{UnaryOperator::kNot, std::move(test)}) : std::move(test);
}

std::string ExpressionParser::parse_target_name() {
  const Token& token = current();
  std::string name = expect_name();
  if (is_constant(name)) fail_at(token, "cannot assign to '" + name + "'");
  return name;
}

Target ExpressionParser::parse_target_part(bool attributes) {
  Target target;
  target.line = current().line;
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
  target.line = first.line;
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
