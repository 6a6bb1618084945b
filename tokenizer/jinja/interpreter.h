// Tree-walking interpreter: evaluates a template with the variables of one rendering.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// The variables of a block. Each loop iteration, macro call and `with` block has its own nested scope; `if`
/// has none.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::unordered_map<std::string_view, Value> variables;  // keys point into the tree or the context

  /// Adds the number of scopes searched to `looked_at`.
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
  Text render(const Template& parsed);

  Value evaluate(const Expression& expression);
  /// Renders the body of a macro or of caller() with `arguments` bound.
  Value call_macro(const Macro& macro, const ScopePtr& defined_in, const Arguments& arguments);
  /// Renders the body of self.name().
  Value call_block(const Body& body);
  /// Renders the items in the body of a recursive loop, for loop(items).
  Value call_loop(const For& loop, const ScopePtr& outer, const Value& items, std::int64_t depth);
  /// Assigns variables in `scope`; unpacks the value if the target has several parts.
  void assign(Scope& scope, const Target& target, const Value& value);
  /// Whether an item passes the loop's filter; evaluated in `outer` with the loop's target set.
  bool passes(const For& loop, const ScopePtr& outer, const Value& item);
  Runtime& runtime() { return runtime_; }

 private:
  enum class Flow { kNext, kBreak, kContinue };  // how a statement ends
  class ScopeGuard;                              // opens a scope for a block
  class OutputCapture;                           // redirects the output of a block
  class DepthGuard;                              // counts the nested nodes under evaluation

  Flow execute(const Body& body);
  /// depth: from 0, of recursive calls.
  Flow run_loop(const For& node, const Value& items, std::int64_t depth);
  /// Executes a block in a scope of its own; its output becomes `text` if it ends with kNext.
  Flow capture_text(const Body& body, Value& text);
  Flow run(const Data& node);
  Flow run(const Print& node);
  Flow run(const If& node);
  Flow run(const For& node);
  Flow run(const Set& node);
  Flow run(const SetBlock& node);
  Flow run(const FilterBlock& node);
  Flow run(const With& node);
  Flow run(const AutoEscape& node);
  Flow run(const Block& node);
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
  ScopePtr root_;   // of the template
  ScopePtr scope_;  // the innermost
  const Template* template_ = nullptr;
  Text* output_ = nullptr;
  std::size_t held_ = 0;   // bytes reserved for the outputs being written
  std::size_t depth_ = 0;  // nodes under evaluation
  std::vector<ScopePtr>
      captured_;  // scopes captured by macros; cleared at the end because of reference cycles
};

}  // namespace partita::internal::jinja
