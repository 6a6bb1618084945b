// Walks the tree of a template with the variables of one rendering.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/runtime.h"

namespace partita::jinja {

/// Variables of a block. A loop's pass, a macro's call and a with block each have one inside another; `if`
/// has none.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::unordered_map<std::string_view, Value> variables;  // keys: names in the tree or in the context

  /// Adds to `looked_at` the scopes that it looked into.
  const Value* find(std::string_view name, std::size_t& looked_at) const;
};
using ScopePtr = std::shared_ptr<Scope>;

class Interpreter {
 public:
  /// The runtime must outlive every value; `globals` are the context's variables.
  Interpreter(Runtime& runtime, ScopePtr globals);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// Throws JinjaError.
  Text render(const Body& body);

  Value evaluate(const Expression& expression);
  /// A macro's or a caller's body with `arguments` bound, as text.
  Value call_macro(const Macro& macro, const ScopePtr& defined_in, const Arguments& arguments);
  /// Fills variables of `scope`; the value is unpacked where the target has several parts.
  void assign(Scope& scope, const Target& target, const Value& value);
  /// Whether a loop's filter lets the item pass; evaluated inside `outer` with the loop's target filled.
  bool passes(const For& loop, const ScopePtr& outer, const Value& item);
  Runtime& runtime() { return runtime_; }

 private:
  enum class Flow { kOn, kBreak, kContinue };  // how a statement ends
  class Enter;                                 // a scope for the length of a block
  class Capture;                               // output of a block, kept
  class Deeper;                                // one more node under evaluation

  Flow execute(const Body& body);
  Flow run(const Data& node);
  Flow run(const Print& node);
  Flow run(const If& node);
  Flow run(const For& node);
  Flow run(const Set& node);
  Flow run(const SetBlock& node);
  Flow run(const FilterBlock& node);
  Flow run(const With& node);
  Flow run(const MacroDefinition& node);
  Flow run(const CallBlock& node);
  Flow run(const Break& node);
  Flow run(const Continue& node);

  const Value* find(const std::string& name);
  Value value_of(const Literal& node);
  Value value_of(const Name& node);
  Value value_of(const SequenceLiteral& node);
  Value value_of(const DictLiteral& node);
  Value value_of(const Unary& node);
  Value value_of(const Binary& node);
  Value value_of(const Concatenation& node);
  Value value_of(const Logical& node);
  Value value_of(const Comparisons& node);
  Value value_of(const Conditional& node);
  Value value_of(const Attribute& node);
  Value value_of(const Subscript& node);
  Value value_of(const Slice& node);
  Value value_of(const Call& node);
  Value value_of(const Filtered& node);
  Value value_of(const Tested& node);

  Arguments evaluate_arguments(const CallArguments& arguments);
  Value call(const Value& callee, const Arguments& arguments);
  Value apply(const FilterCall& filter, const Value& input);
  Value apply_all(const std::vector<FilterCall>& filters, Value input);
  Value make_macro(std::shared_ptr<const Macro> macro);
  void bind_parameters(Scope& scope, const Macro& macro, const Arguments& arguments);
  void write(const Text& text);

  Runtime& runtime_;
  ScopePtr scope_;  // the innermost
  Text* output_ = nullptr;
  std::size_t held_ = 0;            // bytes reserved for the outputs being written
  std::size_t depth_ = 0;           // nodes under evaluation
  std::vector<ScopePtr> captured_;  // scopes that macros hold, which may hold the macros
};

}  // namespace partita::jinja
