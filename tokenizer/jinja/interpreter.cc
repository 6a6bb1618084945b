#include "tokenizer/jinja/interpreter.h"

#include <utility>

#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/functions.h"
#include "tokenizer/jinja/loop.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {

const Value* Scope::find(std::string_view name, std::size_t& looked_at) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent.get()) {
    ++looked_at;
    const auto it = scope->variables.find(name);
    if (it != scope->variables.end()) return &it->second;
  }
  return nullptr;
}

class Interpreter::ScopeGuard {
 public:
  ScopeGuard(Interpreter& interpreter, ScopePtr parent)
      : interpreter_(interpreter), outer_(interpreter.scope_) {
    interpreter.runtime_.step(2);
    interpreter.scope_ = std::make_shared<Scope>(Scope{std::move(parent), {}});
  }
  explicit ScopeGuard(Interpreter& interpreter) : ScopeGuard(interpreter, interpreter.scope_) {}
  ~ScopeGuard() { interpreter_.scope_ = std::move(outer_); }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Interpreter& interpreter_;
  ScopePtr outer_;
};

class Interpreter::OutputCapture {
 public:
  explicit OutputCapture(Interpreter& interpreter)
      : interpreter_(interpreter), outer_(interpreter.output_), held_(interpreter.held_) {
    interpreter.output_ = &text_;
  }
  ~OutputCapture() {
    interpreter_.output_ = outer_;
    interpreter_.runtime_.release(interpreter_.held_ - held_);
    interpreter_.held_ = held_;
  }
  OutputCapture(const OutputCapture&) = delete;
  OutputCapture& operator=(const OutputCapture&) = delete;

  Text take() { return std::move(text_); }

 private:
  Interpreter& interpreter_;
  Text* outer_;
  std::size_t held_;
  Text text_;
};

// Also counts a step and sets the line for error messages.
class Interpreter::DepthGuard {
 public:
  DepthGuard(Interpreter& interpreter, int line)
      : interpreter_(interpreter), outer_line_(interpreter.runtime_.line()) {
    Runtime& runtime = interpreter.runtime_;
    runtime.set_line(line);
    runtime.step();
    if (interpreter.depth_ >= kMaxCallDepth) {
      runtime.fail(ErrorCode::kOutOfMemory,
                   "macros and expressions nest deeper than " + std::to_string(kMaxCallDepth));
    }
    ++interpreter.depth_;
  }
  ~DepthGuard() {
    --interpreter_.depth_;
    interpreter_.runtime_.set_line(outer_line_);
  }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  Interpreter& interpreter_;
  int outer_line_;
};

Interpreter::Interpreter(Runtime& runtime, ScopePtr globals)
    : runtime_(runtime), scope_(std::move(globals)) {}

Interpreter::~Interpreter() {
  for (const ScopePtr& scope : captured_) scope->variables.clear();
}

Text Interpreter::render(const Body& body) {
  OutputCapture capture(*this);
  execute(body);
  return capture.take();
}

void Interpreter::write(const Text& text) {
  runtime_.check_text_size(output_->size() + text.size());
  const std::size_t bytes = text.size() + text.runs().size() * sizeof(Text::Run);
  runtime_.reserve(bytes);
  held_ += bytes;
  output_->append(text);
}

Interpreter::Flow Interpreter::execute(const Body& body) {
  for (const Statement& statement : body) {
    const DepthGuard depth(*this, statement.line);
    const Flow flow = std::visit([this](const auto& node) { return run(node); }, statement.node);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const Data& node) {
  write(*node.text);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const Print& node) {
  const Value value = evaluate(*node.expression);
  if (const Text* text = value.text()) {
    write(*text);
  } else {
    write(to_text(runtime_, value));
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const If& node) {
  for (const auto& [test, body] : node.branches) {
    if (truthy(evaluate(*test))) return execute(body);
  }
  return execute(node.otherwise);
}

Interpreter::Flow Interpreter::run(const For& node) {
  Loop::Filter filter;
  if (node.filter != nullptr) {
    filter = [this, &node, outer = scope_](const Value& item) { return passes(node, outer, item); };
  }
  const auto loop = std::make_shared<Loop>(runtime_.elements(evaluate(*node.iterable)), std::move(filter));
  struct Closing {
    Loop& loop;
    ~Closing() { loop.close(); }
  } closing{*loop};
  bool completed = false;  // as in jinja2, `else` also runs after a loop that breaks in its first iteration
  while (const auto item = loop->next()) {
    const ScopeGuard scope(*this);
    scope_->variables["loop"] = Value(ObjectPtr(loop));
    assign(*scope_, node.target, *item);
    const Flow flow = execute(node.body);
    if (flow == Flow::kBreak) break;
    completed = completed || flow == Flow::kNext;
  }
  if (completed) return Flow::kNext;
  const ScopeGuard scope(*this);
  return execute(node.otherwise);
}

bool Interpreter::passes(const For& loop, const ScopePtr& outer, const Value& item) {
  const ScopeGuard scope(*this, outer);
  assign(*scope_, loop.target, item);
  return truthy(evaluate(*loop.filter));
}

Interpreter::Flow Interpreter::run(const Set& node) {
  const Value value = evaluate(*node.value);
  assign(*scope_, node.target, value);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::capture_text(const Body& body, Value& text) {
  const ScopeGuard scope(*this);
  OutputCapture capture(*this);
  const Flow flow = execute(body);
  if (flow == Flow::kNext) text = runtime_.text(capture.take());
  return flow;
}

Interpreter::Flow Interpreter::run(const SetBlock& node) {
  Value text;
  if (const Flow flow = capture_text(node.body, text); flow != Flow::kNext) return flow;
  assign(*scope_, node.target, apply_all(node.filters, std::move(text)));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const FilterBlock& node) {
  Value text;
  if (const Flow flow = capture_text(node.body, text); flow != Flow::kNext) return flow;
  write(to_text(runtime_, apply_all(node.filters, std::move(text))));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const With& node) {
  std::vector<Value> values;
  for (const auto& [target, expression] : node.variables) values.push_back(evaluate(*expression));
  const ScopeGuard scope(*this);
  for (std::size_t i = 0; i < values.size(); ++i) assign(*scope_, node.variables[i].first, values[i]);
  return execute(node.body);
}

Interpreter::Flow Interpreter::run(const MacroDefinition& node) {
  scope_->variables[node.macro->name] = make_macro(node.macro);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const CallBlock& node) {
  const Call& call_node = std::get<Call>(node.call->node);
  const Value callee = evaluate(*call_node.callee);
  Arguments arguments = evaluate_arguments(call_node.arguments);
  arguments.named.emplace_back("caller", make_macro(node.caller));
  write(to_text(runtime_, call(callee, arguments)));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const Break&) { return Flow::kBreak; }
Interpreter::Flow Interpreter::run(const Continue&) { return Flow::kContinue; }

void Interpreter::assign(Scope& scope, const Target& target, const Value& value) {
  runtime_.step();
  runtime_.touch(target.name.size());
  if (target.is_tuple) {
    const SequencePtr items = runtime_.elements(value);
    if (items->items.size() != target.parts.size()) {
      runtime_.type_error("cannot unpack " + std::to_string(items->items.size()) + " values into " +
                          std::to_string(target.parts.size()) + " variables");
    }
    for (std::size_t i = 0; i < target.parts.size(); ++i) assign(scope, target.parts[i], items->items[i]);
    return;
  }
  if (!target.attribute) {
    scope.variables[target.name] = value;
    return;
  }
  std::size_t scopes = 0;
  const Value* found = scope.find(target.name, scopes);
  runtime_.step(scopes / 4);
  auto* space = found != nullptr ? dynamic_cast<Namespace*>(found->object()) : nullptr;
  if (space == nullptr) {
    runtime_.type_error("cannot assign to an attribute of '" + target.name + "', which is not a namespace");
  }
  check_namespace_name(runtime_, *target.attribute);
  space->set(*target.attribute, value);
}

Value Interpreter::evaluate(const Expression& expression) {
  const DepthGuard depth(*this, expression.line);
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

Value Interpreter::value_of(const Name& node) {
  if (const Value* found = find(node.name)) return *found;
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
    const DepthGuard depth(*this, filter.line);
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
