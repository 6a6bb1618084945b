// The variable `loop` and its iteration.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// Lazy: fetches items and evaluates the loop's filter only when the body or an attribute of `loop` needs
/// them.
class Loop final : public Object, public std::enable_shared_from_this<Loop> {
 public:
  using Filter = std::function<bool(const Value& item)>;
  using Recursion = std::function<Value(const Value& items)>;

  /// `filter`: selects the items of the loop; empty: all items. `recursion`: what loop(items) does; empty: an
  /// error. `depth`: of recursive calls around the loop, from 0.
  Loop(SequencePtr source, Filter filter, Recursion recursion, std::int64_t depth);

  /// Advances to the next item; nullopt at the end.
  std::optional<Value> next();
  /// Ends the loop and releases filter and recursion, which breaks reference cycles: they hold the scope
  /// around the loop, which may hold this object.
  void close();

  const char* type_name() const override { return "loop"; }
  std::string printed() override;
  Callable* callable() override { return &call_; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  Value cycle(Runtime& runtime, const Arguments& arguments) const;
  Value changed(Runtime& runtime, const Arguments& arguments);

 private:
  // loop(items)
  class Call final : public Callable {
   public:
    explicit Call(Loop& loop) : loop_(loop) {}
    const char* type_name() const override { return "loop"; }
    Value call(Runtime& runtime, const Arguments& arguments) override;

   private:
    Loop& loop_;
  };

  std::optional<Value> draw();
  bool has_next();
  std::int64_t length();

  SequencePtr source_;
  Filter filter_;
  Recursion recursion_;
  Call call_{*this};
  std::int64_t depth_;
  bool closed_ = false;
  std::size_t drawn_ = 0;      // items fetched from source_
  std::deque<Value> pending_;  // fetched, not yet visited
  std::int64_t index0_ = -1;
  std::optional<Value> previous_, current_;
  std::optional<std::vector<Value>> last_changed_;
};

}  // namespace partita::internal::jinja
