// The interpreter's expressions, calls and macros.
#include <algorithm>
#include <utility>

#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/functions.h"
#include "tokenizer/jinja/interpreter.h"
#include "tokenizer/jinja/interpreter_guards.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {

Value Interpreter::evaluate(const Expression& expression) {
  const DepthGuard depth(*this, expression.place);
  return std::visit([this](const auto& node) { return value_of(node); }, expression.node);
}

const Value* Interpreter::find(const std::string& name) {
  std::size_t scopes = 0;
  const Value* const found = scope_->find(name, scopes);
  runtime_.step(scopes / 4);
  runtime_.touch(scopes * name.size());  // each look-up hashes the name
  return found;
}

Value Interpreter::value_of(const Literal& node) { return node.value; }

namespace {

// A block of `self`, callable as self.name().
class BlockReference final : public Callable {
 public:
  BlockReference(Interpreter& interpreter, const Body& body) : interpreter_(interpreter), body_(body) {}
  const char* type_name() const override { return "BlockReference"; }
  Value call(Runtime& runtime, const Arguments& arguments) override {
    const Parameters none(runtime, "a block", arguments, {});
    return interpreter_.call_block(body_);
  }

 private:
  Interpreter& interpreter_;
  const Body& body_;
};

// The variable `self`: the blocks of the template.
class SelfReference final : public Object {
 public:
  SelfReference(Interpreter& interpreter, const Template& parsed)
      : interpreter_(interpreter), template_(parsed) {}
  const char* type_name() const override { return "TemplateReference"; }
  std::string printed() override { return "<TemplateReference None>"; }
  std::optional<Value> attribute(Runtime&, std::string_view name) override {
    const auto block = template_.blocks.find(name);
    if (block == template_.blocks.end()) return std::nullopt;
    return Value(ObjectPtr(std::make_shared<BlockReference>(interpreter_, *block->second)));
  }

 private:
  Interpreter& interpreter_;
  const Template& template_;
};

}  // namespace

Value Interpreter::value_of(const Name& node) {
  if (const Value* found = find(node.name)) return *found;
  if (node.name == "self") return Value(ObjectPtr(std::make_shared<SelfReference>(*this, *template_)));
  if (auto function = find_function(node.name)) return *std::move(function);
  return runtime_.undefined("'" + node.name + "' is undefined");
}

Value Interpreter::value_of(const SequenceLiteral& node) {
  std::vector<Value> items;
  for (const ExpressionPtr& item : node.items) items.push_back(evaluate(*item));
  return runtime_.sequence(node.kind, std::move(items));
}

Value Interpreter::value_of(const DictLiteral& node) {
  Dict dict;
  for (const auto& [key_node, value_node] : node.items) {
    Value key = evaluate(*key_node);
    if (!hashable(key)) runtime_.type_error("unhashable type: '" + std::string(type_name(key)) + "'");
    runtime_.look_up(key);
    dict.set(std::move(key), evaluate(*value_node));
  }
  return runtime_.dict(std::move(dict));
}

Value Interpreter::value_of(const Unary& node) {
  const Value value = evaluate(*node.operand);
  if (node.op == UnaryOperator::kNot) return Value(!truthy(value));
  return node.op == UnaryOperator::kNegate ? negate(runtime_, value) : unary_plus(runtime_, value);
}

Value Interpreter::value_of(const Binary& node) {
  const Value left = evaluate(*node.left);
  return binary(runtime_, node.op, left, evaluate(*node.right));
}

Value Interpreter::value_of(const Concatenation& node) {
  Text out;
  for (const ExpressionPtr& part : node.parts) {
    const Value value = evaluate(*part);
    runtime_.touch_text(value);
    const Text text = to_text(runtime_, value);
    runtime_.check_text_size(out.size() + text.size());
    out.append(text);
  }
  return runtime_.text(std::move(out));
}

Value Interpreter::value_of(const Logical& node) {
  Value left = evaluate(*node.left);
  return truthy(left) == node.is_or ? left : evaluate(*node.right);
}

Value Interpreter::value_of(const Comparisons& node) {
  Value left = evaluate(*node.first);
  for (const auto& [op, expression] : node.rest) {
    Value right = evaluate(*expression);
    if (!compare(runtime_, op, left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Interpreter::value_of(const Conditional& node) {
  if (truthy(evaluate(*node.test))) return evaluate(*node.then);
  if (node.otherwise != nullptr) return evaluate(*node.otherwise);
  return runtime_.undefined("the inline if-expression is false and has no else");
}

Value Interpreter::value_of(const Attribute& node) {
  return attribute_of(runtime_, evaluate(*node.object), node.name);
}

Value Interpreter::value_of(const Subscript& node) {
  const Value object = evaluate(*node.object);
  return item_of(runtime_, object, evaluate(*node.key));
}

Value Interpreter::value_of(const Slice& node) {
  const auto bound = [this](const ExpressionPtr& expression) {
    return expression != nullptr ? evaluate(*expression) : Value(None{});
  };
  const Value object = evaluate(*node.object);
  const Value start = bound(node.start);
  const Value stop = bound(node.stop);
  return slice(runtime_, object, start, stop, bound(node.step));
}

Value Interpreter::value_of(const Call& node) {
  const Value callee = evaluate(*node.callee);
  return call(callee, evaluate_arguments(node.arguments));
}

Value Interpreter::value_of(const Filtered& node) { return apply(node.call, evaluate(*node.input)); }

Value Interpreter::value_of(const Tested& node) {
  if (node.test == nullptr) runtime_.unsupported("the test '" + node.name + "'");
  const Value input = evaluate(*node.input);
  return Value(run_test(node.test, runtime_, input, evaluate_arguments(node.arguments)));
}

Value Interpreter::call(const Value& callee, const Arguments& arguments) {
  runtime_.refuse_undefined(callee);
  Callable* const callable = callee.object() != nullptr ? callee.object()->callable() : nullptr;
  if (callable != nullptr) return callable->call(runtime_, arguments);
  runtime_.type_error("a " + std::string(type_name(callee)) + " cannot be called");
}

Value Interpreter::apply(const FilterCall& filter, const Value& input) {
  if (filter.filter == nullptr) runtime_.unsupported("the filter '" + filter.name + "'");
  return run_filter(filter.filter, runtime_, input, evaluate_arguments(filter.arguments));
}

Value Interpreter::apply_all(const std::vector<FilterCall>& filters, Value input) {
  for (const FilterCall& filter : filters) {
    const DepthGuard depth(*this, filter.place);
    input = apply(filter, input);
  }
  return input;
}

Arguments Interpreter::evaluate_arguments(const CallArguments& nodes) {
  Arguments arguments;
  for (const ExpressionPtr& node : nodes.positional) arguments.positional.push_back(evaluate(*node));
  if (nodes.star != nullptr) {
    const SequencePtr elements = runtime_.elements(evaluate(*nodes.star));
    for (const Value& item : elements->items) arguments.positional.push_back(item);
  }
  for (const auto& [name, node] : nodes.named) {
    runtime_.touch(name.size());
    arguments.named.emplace_back(name, evaluate(*node));
  }
  if (nodes.double_star == nullptr) return arguments;
  const Value more = evaluate(*nodes.double_star);
  if (more.dict() == nullptr) runtime_.type_error("'**' needs a dict, not " + std::string(type_name(more)));
  for (const auto& [key, value] : more.dict()->items()) {
    if (key.text() == nullptr) runtime_.type_error("'**' needs str keys, not " + std::string(type_name(key)));
    runtime_.touch(key.text()->size() + 256);
    arguments.named.emplace_back(key.text()->bytes(), value);
  }
  return arguments;
}

namespace {

// A macro, or the body of a call block, callable as caller().
class MacroObject final : public Callable {
 public:
  MacroObject(Interpreter& interpreter, std::shared_ptr<const Macro> macro, ScopePtr defined_in)
      : interpreter_(interpreter), macro_(std::move(macro)), defined_in_(std::move(defined_in)) {}

  const char* type_name() const override { return "macro"; }
  std::string printed() override { return "<Macro '" + macro_->name + "'>"; }
  Value call(Runtime&, const Arguments& arguments) override {
    return interpreter_.call_macro(*macro_, defined_in_, arguments);
  }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override {
    if (name == "name") return runtime.text(macro_->name, false);
    return std::nullopt;
  }

 private:
  Interpreter& interpreter_;
  std::shared_ptr<const Macro> macro_;
  ScopePtr defined_in_;
};

// Removes the named argument from `named`; nullopt if it is absent.
std::optional<Value> take(std::vector<std::pair<std::string, Value>>& named, std::string_view name) {
  for (auto it = named.begin(); it != named.end(); ++it) {
    if (it->first != name) continue;
    Value value = std::move(it->second);
    named.erase(it);
    return value;
  }
  return std::nullopt;
}

}  // namespace

Value Interpreter::make_macro(std::shared_ptr<const Macro> macro) {
  runtime_.reserve(256);  // until the end of the rendering: the captured scope stays alive
  captured_.push_back(scope_);
  return Value(ObjectPtr(std::make_shared<MacroObject>(*this, std::move(macro), scope_)));
}

Value Interpreter::call_macro(const Macro& macro, const ScopePtr& defined_in, const Arguments& arguments) {
  const ScopeGuard scope(*this, defined_in);
  bind_parameters(*scope_, macro, arguments);
  OutputCapture capture(*this);
  execute(macro.body);
  return runtime_.text(capture.take());
}

void Interpreter::bind_parameters(Scope& scope, const Macro& macro, const Arguments& arguments) {
  // Each parameter may search all named arguments.
  runtime_.step(macro.parameters.size() * (1 + arguments.named.size() / 8));
  std::vector<std::pair<std::string, Value>> named = arguments.named;
  const std::size_t count = macro.parameters.size();
  const std::size_t given = std::min(arguments.positional.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& name = macro.parameters[i];
    auto value = i < given ? std::optional<Value>(arguments.positional[i]) : take(named, name);
    const std::size_t required = count - macro.defaults.size();
    if (!value && i >= required) value = evaluate(*macro.defaults[i - required]);
    scope.variables[name] =
        value ? *std::move(value) : runtime_.undefined("parameter '" + name + "' was not provided");
  }
  if (macro.uses_caller) {
    const auto caller = take(named, "caller");
    scope.variables["caller"] = caller ? *caller : runtime_.undefined("no caller defined");
  }
  if (macro.uses_kwargs) {
    Dict rest;
    for (const auto& [name, value] : named) rest.set(runtime_.text(name, false), value);
    scope.variables["kwargs"] = runtime_.dict(std::move(rest));
  } else if (!named.empty()) {
    runtime_.type_error("macro '" + macro.name + "' takes no argument named '" +
                        named[0].first.substr(0, 80) + "'");
  }
  if (macro.uses_varargs) {
    const auto first = arguments.positional.begin() + static_cast<std::ptrdiff_t>(given);
    std::vector<Value> rest(first, arguments.positional.end());
    scope.variables["varargs"] = runtime_.sequence(SequenceKind::kTuple, std::move(rest));
  } else if (arguments.positional.size() > count) {
    runtime_.type_error("macro '" + macro.name + "' takes at most " + std::to_string(count) + " arguments");
  }
}

}  // namespace partita::internal::jinja
