// The interpreter's statements. evaluate.cc evaluates expressions and calls macros.
#include "tokenizer/jinja/interpreter.h"

#include <utility>

#include "tokenizer/jinja/functions.h"
#include "tokenizer/jinja/interpreter_guards.h"
#include "tokenizer/jinja/loop.h"
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

Interpreter::Interpreter(Runtime& runtime, ScopePtr globals)
    : runtime_(runtime), root_(globals), scope_(std::move(globals)) {}

Interpreter::~Interpreter() {
  for (const ScopePtr& scope : captured_) scope->variables.clear();
}

Text Interpreter::render(const Template& parsed) {
  template_ = &parsed;
  OutputCapture capture(*this);
  execute(parsed.body);
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
    const DepthGuard depth(*this, statement.place);
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

Interpreter::Flow Interpreter::run(const For& node) { return run_loop(node, evaluate(*node.iterable), 0); }

Interpreter::Flow Interpreter::run_loop(const For& node, const Value& items, std::int64_t depth) {
  Loop::Filter filter;
  if (node.filter != nullptr) {
    filter = [this, &node, outer = scope_](const Value& item) { return passes(node, outer, item); };
  }
  Loop::Recursion recursion;
  if (node.is_recursive) {
    recursion = [this, &node, outer = scope_, depth](const Value& children) {
      return call_loop(node, outer, children, depth + 1);
    };
  }
  const auto loop =
      std::make_shared<Loop>(runtime_.elements(items), std::move(filter), std::move(recursion), depth);
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

Value Interpreter::call_loop(const For& loop, const ScopePtr& outer, const Value& items, std::int64_t depth) {
  const ScopeGuard scope(*this, outer);
  OutputCapture capture(*this);
  run_loop(loop, items, depth);
  return runtime_.text(capture.take());
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
  const Value filtered = apply_all(node.filters, std::move(text));
  if (filtered.text() == nullptr) {
    runtime_.type_error("the filters of a block must give a str, not " + std::string(type_name(filtered)));
  }
  write(*filtered.text());
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run(const With& node) {
  std::vector<Value> values;
  for (const auto& [target, expression] : node.variables) values.push_back(evaluate(*expression));
  const ScopeGuard scope(*this);
  for (std::size_t i = 0; i < values.size(); ++i) assign(*scope_, node.variables[i].first, values[i]);
  return execute(node.body);
}

Interpreter::Flow Interpreter::run(const AutoEscape& node) {
  if (truthy(evaluate(*node.on))) runtime_.unsupported("autoescaping");
  const ScopeGuard scope(*this);
  return execute(node.body);
}

Interpreter::Flow Interpreter::run(const Block& node) {
  if (node.required) runtime_.type_error("the required block '" + node.name + "' has no other definition");
  const ScopeGuard scope(*this, node.scoped ? scope_ : root_);
  return execute(*node.body);
}

Value Interpreter::call_block(const Body& body) {
  const ScopeGuard scope(*this, root_);
  OutputCapture capture(*this);
  execute(body);
  return runtime_.text(capture.take());
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

}  // namespace partita::internal::jinja
