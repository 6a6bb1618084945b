// The abstract syntax tree of a template. Trees are immutable; the parser bounds their height.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/place.h"
#include "tokenizer/jinja/tests.h"
#include "tokenizer/jinja/value.h"

namespace partita::internal::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct SequenceLiteral {
  SequenceKind kind;  // kList or kTuple
  std::vector<ExpressionPtr> items;
};
struct DictLiteral {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> items;
};
enum class UnaryOperator : std::uint8_t { kNegate, kPlus, kNot };
struct Unary {
  UnaryOperator op;
  ExpressionPtr operand;
};
struct Binary {
  BinaryOperator op;
  ExpressionPtr left, right;
};
/// a ~ b ~ c
struct Concatenation {
  std::vector<ExpressionPtr> parts;
};
/// a and b, a or b: the value of the operand that decides.
struct Logical {
  bool is_or;
  ExpressionPtr left, right;
};
/// a < b <= c: compares adjacent operands, evaluates each operand once.
struct Comparisons {
  ExpressionPtr first;
  std::vector<std::pair<Comparison, ExpressionPtr>> rest;
};
/// then if test else otherwise; undefined without `otherwise`.
struct Conditional {
  ExpressionPtr test, then, otherwise;
};
struct Attribute {
  ExpressionPtr object;
  std::string name;
};
struct Subscript {
  ExpressionPtr object, key;
};
/// object[start:stop:step]; null where absent.
struct Slice {
  ExpressionPtr object, start, stop, step;
};

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr star, double_star;  // *list and **dict, or null
};
struct Call {
  ExpressionPtr callee;
  CallArguments arguments;
};
/// A filter's name and arguments. `filter` is null for an unknown filter in a branch that may never run.
struct FilterCall {
  std::string name;
  Filter filter;
  CallArguments arguments;
  Place place;
};
struct Filtered {
  ExpressionPtr input;
  FilterCall call;
};
/// `test` is null for an unknown test in a branch that may never run.
struct Tested {
  ExpressionPtr input;
  std::string name;
  Test test;
  CallArguments arguments;
};

struct Expression {
  Place place;
  int height;  // 1 + the highest operand
  std::variant<Literal, Name, SequenceLiteral, DictLiteral, Unary, Binary, Concatenation, Logical,
               Comparisons, Conditional, Attribute, Subscript, Slice, Call, Filtered, Tested>
      node;
};

/// 0 for null; of several, the largest.
int height_of(const ExpressionPtr& expression);
int height_of(const CallArguments& arguments);
int height_of(const std::vector<ExpressionPtr>& expressions);

/// The target of an assignment: a name, an attribute of a namespace, or several of them.
struct Target {
  std::string name;
  std::optional<std::string> attribute;  // name.attribute
  std::vector<Target> parts;             // if not empty, the rest is unused
  bool is_tuple = false;
  Place place;
};

struct Statement;
using Body = std::vector<Statement>;

struct Data {
  TextPtr text;
};
struct Print {
  ExpressionPtr expression;
};
struct If {
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  Body otherwise;
};
struct For {
  Target target;
  ExpressionPtr iterable, filter;  // filter: for x in y if filter; or null
  Body body, otherwise;
  bool is_recursive = false;  // the body may call loop(items)
};
struct Set {
  Target target;
  ExpressionPtr value;
};
/// {% set target | filters %}body{% endset %}
struct SetBlock {
  Target target;
  std::vector<FilterCall> filters;
  Body body;
};
struct FilterBlock {
  std::vector<FilterCall> filters;
  Body body;
};
/// {% with a = 1 %}body{% endwith %}; also {% generation %}, which has no variables.
struct With {
  std::vector<std::pair<Target, ExpressionPtr>> variables;
  Body body;
};
/// {% autoescape on %}body{% endautoescape %}
struct AutoEscape {
  ExpressionPtr on;
  Body body;
};
/// {% block name %}body{% endblock %}: its body, in the scope of the template, or in its own place if
/// `scoped`.
struct Block {
  std::string name;
  bool scoped = false, required = false;
  std::shared_ptr<const Body> body;
};
struct Macro {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  Body body;
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;
};
/// {% call(parameters) callee(...) %}body{% endcall %}
struct CallBlock {
  std::shared_ptr<const Macro> caller;
  ExpressionPtr call;
};
struct MacroDefinition {
  std::shared_ptr<const Macro> macro;
};
struct Break {};
struct Continue {};

struct Statement {
  Place place;
  std::variant<Data, Print, If, For, Set, SetBlock, FilterBlock, With, AutoEscape, Block, MacroDefinition,
               CallBlock, Break, Continue>
      node;
};

struct Template {
  Body body;
  std::map<std::string, std::shared_ptr<const Body>, std::less<>> blocks;  // by name, for self.name()
};

}  // namespace partita::internal::jinja
