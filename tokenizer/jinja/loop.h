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

  /// `filter`: selects the items of the loop; empty: all items.
  Loop(SequencePtr source, Filter filter);

  /// Advances to the next item; nullopt at the end.
  std::optional<Value> next();
  /// Ends the loop and releases the filter, which breaks a reference cycle: the filter holds the scope around
  /// the loop, which may hold this object.
  void close();

  const char* type_name() const override { return "loop"; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  Value cycle(Runtime& runtime, const Arguments& arguments) const;
  Value changed(Runtime& runtime, const Arguments& arguments);

 private:
  std::optional<Value> draw();
  bool has_next();
  std::int64_t length();

  SequencePtr source_;
  Filter filter_;
  bool closed_ = false;
  std::size_t drawn_ = 0;      // items fetched from source_
  std::deque<Value> pending_;  // fetched, not yet visited
  std::int64_t index0_ = -1;
  std::optional<Value> previous_, current_;
  std::optional<std::vector<Value>> last_changed_;
};

}  // namespace partita::internal::jinja
