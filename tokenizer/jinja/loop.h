// The variable `loop` and the iteration behind it.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/interpreter.h"

namespace partita::jinja {

/// Items are drawn, and the loop's filter is asked, only when the body or an attribute of `loop` needs them.
class Loop final : public Object, public std::enable_shared_from_this<Loop> {
 public:
  Loop(Interpreter& interpreter, const For& node, ScopePtr outer, SequencePtr source);

  /// Goes to the next item; nothing at the end.
  std::optional<Value> next();
  /// Ends the loop and lets go of the scope around it, which may hold this object.
  void close();

  const char* type_name() const override { return "loop"; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  Value cycle(Runtime& runtime, const Arguments& arguments) const;
  Value changed(Runtime& runtime, const Arguments& arguments);

 private:
  std::optional<Value> draw();
  bool has_next();
  std::int64_t length();

  Interpreter& interpreter_;
  const For& node_;
  ScopePtr outer_;
  SequencePtr source_;
  std::size_t drawn_ = 0;      // items of source_ looked at
  std::deque<Value> pending_;  // drawn, not yet visited
  std::int64_t index0_ = -1;
  std::optional<Value> previous_, current_;
  std::optional<std::vector<Value>> last_changed_;
};

}  // namespace partita::jinja
