// The operators of expressions, loosest first. operand_parser.cc parses their operands.
#include "tokenizer/jinja/expression_parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

ExpressionPtr ExpressionParser::make(Place place, int height, Node node) const {
  if (height > kMaxExpressionHeight) {
    unsupported(current(), "an expression of more than " + std::to_string(kMaxExpressionHeight) +
                               " operators above one another");
  }
  return std::make_unique<const Expression>(Expression{place, height, std::move(node)});
}

bool ExpressionParser::at_tuple_end() const {
  return current().type == TokenType::kVariableEnd || current().type == TokenType::kBlockEnd ||
         is_operator(")") || is_name("in");
}

ExpressionPtr ExpressionParser::parse_tuple(bool condition, bool brackets) {
  const Token& first = current();
  const Place place = first.place;
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
  return make(place, height, SequenceLiteral{SequenceKind::kTuple, std::move(items)});
}

ExpressionPtr ExpressionParser::parse_expression(bool condition) {
  const NestingGuard nesting(*this);
  const Place place = current().place;
  const std::size_t unknown = unknown_.size();
  ExpressionPtr then = parse_or();
  while (condition && skip_name("if")) {
    ExpressionPtr test = parse_or();
    ExpressionPtr otherwise = skip_name("else") ? parse_expression() : nullptr;
    unknown_.erase(unknown_.begin() + static_cast<std::ptrdiff_t>(unknown), unknown_.end());
    const int height = 1 + std::max({height_of(then), height_of(test), height_of(otherwise)});
    then = make(place, height, Conditional{std::move(test), std::move(then), std::move(otherwise)});
  }
  return then;
}

ExpressionPtr ExpressionParser::parse_or() {
  const Place place = current().place;
  ExpressionPtr left = parse_and();
  while (skip_name("or")) {
    ExpressionPtr right = parse_and();
    const int height = 1 + std::max(height_of(left), height_of(right));
    left = make(place, height, Logical{true, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_and() {
  const Place place = current().place;
  ExpressionPtr left = parse_not();
  while (skip_name("and")) {
    ExpressionPtr right = parse_not();
    const int height = 1 + std::max(height_of(left), height_of(right));
    left = make(place, height, Logical{false, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_not() {
  if (!is_name("not")) return parse_comparison();
  const NestingGuard nesting(*this);
  const Place place = current().place;
  advance();
  ExpressionPtr operand = parse_not();
  const int height = 1 + height_of(operand);
  return make(place, height, Unary{UnaryOperator::kNot, std::move(operand)});
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
  const Place place = current().place;
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
  return make(place, height + 1, std::move(comparisons));
}

ExpressionPtr ExpressionParser::parse_sum() {
  const Place place = current().place;
  ExpressionPtr left = parse_concatenation();
  while (is_operator("+") || is_operator("-")) {
    const BinaryOperator op = is_operator("+") ? BinaryOperator::kAdd : BinaryOperator::kSubtract;
    advance();
    ExpressionPtr right = parse_concatenation();
    const int height = 1 + std::max(height_of(left), height_of(right));
    left = make(place, height, Binary{op, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_concatenation() {
  const Place place = current().place;
  ExpressionPtr first = parse_product();
  if (!is_operator("~")) return first;
  std::vector<ExpressionPtr> parts;
  parts.push_back(std::move(first));
  while (skip_operator("~")) parts.push_back(parse_product());
  const int height = 1 + height_of(parts);
  return make(place, height, Concatenation{std::move(parts)});
}

ExpressionPtr ExpressionParser::parse_product() {
  static constexpr std::array<std::pair<std::string_view, BinaryOperator>, 4> kProducts = {{
      {"*", BinaryOperator::kMultiply},
      {"/", BinaryOperator::kDivide},
      {"//", BinaryOperator::kFloorDivide},
      {"%", BinaryOperator::kModulo},
  }};
  const Place place = current().place;
  ExpressionPtr left = parse_power();
  while (true) {
    const auto op = std::find_if(kProducts.begin(), kProducts.end(),
                                 [this](const auto& product) { return is_operator(product.first); });
    if (op == kProducts.end()) return left;
    advance();
    ExpressionPtr right = parse_power();
    const int height = 1 + std::max(height_of(left), height_of(right));
    left = make(place, height, Binary{op->second, std::move(left), std::move(right)});
  }
}

// Jinja's ** associates to the left, unlike Python's.
ExpressionPtr ExpressionParser::parse_power() {
  const Place place = current().place;
  ExpressionPtr left = parse_unary(true);
  while (skip_operator("**")) {
    ExpressionPtr right = parse_unary(true);
    const int height = 1 + std::max(height_of(left), height_of(right));
    left = make(place, height, Binary{BinaryOperator::kPower, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_unary(bool filters) {
  const Place place = current().place;
  ExpressionPtr expression;
  if (is_operator("-") || is_operator("+")) {
    const NestingGuard nesting(*this);
    const UnaryOperator op = is_operator("-") ? UnaryOperator::kNegate : UnaryOperator::kPlus;
    advance();
    ExpressionPtr operand = parse_unary(false);
    const int height = 1 + height_of(operand);
    expression = make(place, height, Unary{op, std::move(operand)});
  } else {
    expression = parse_primary();
  }
  expression = parse_postfix(std::move(expression));
  return filters ? parse_filters(std::move(expression)) : std::move(expression);
}

}  // namespace partita::internal::jinja
