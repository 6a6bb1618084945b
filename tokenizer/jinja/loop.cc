#include "tokenizer/jinja/loop.h"

#include <utility>

#include "tokenizer/jinja/compare.h"

namespace partita::internal::jinja {
namespace {

// loop.cycle and loop.changed.
class LoopMethod final : public Callable {
 public:
  LoopMethod(std::shared_ptr<Loop> loop, bool cycles) : loop_(std::move(loop)), cycles_(cycles) {}
  const char* type_name() const override { return "method"; }
  Value call(Runtime& runtime, const Arguments& arguments) override {
    return cycles_ ? loop_->cycle(runtime, arguments) : loop_->changed(runtime, arguments);
  }

 private:
  std::shared_ptr<Loop> loop_;
  bool cycles_;
};

}  // namespace

Loop::Loop(SequencePtr source, Filter filter, Recursion recursion, std::int64_t depth)
    : source_(std::move(source)),
      filter_(std::move(filter)),
      recursion_(std::move(recursion)),
      depth_(depth) {}

Value Loop::Call::call(Runtime& runtime, const Arguments& arguments) {
  const Parameters p(runtime, "loop()", arguments, {"iterable"}, 1);
  if (loop_.recursion_ == nullptr) runtime.type_error("loop() needs a loop that is 'recursive'");
  const Recursion recursion = loop_.recursion_;  // outlives the loop's end
  return recursion(p[0]);
}

std::string Loop::printed() {
  return "<LoopContext " + std::to_string(index0_ + 1) + "/" + std::to_string(length()) + ">";
}

std::optional<Value> Loop::draw() {
  while (!closed_ && drawn_ < source_->items.size()) {
    const Value& item = source_->items[drawn_++];
    if (filter_ == nullptr || filter_(item)) return item;
  }
  return std::nullopt;
}

std::optional<Value> Loop::next() {
  if (!has_next()) return std::nullopt;
  previous_ = std::exchange(current_, std::move(pending_.front()));
  pending_.pop_front();
  ++index0_;
  return current_;
}

void Loop::close() {
  closed_ = true;
  filter_ = nullptr;
  recursion_ = nullptr;
}

bool Loop::has_next() {
  if (pending_.empty()) {
    if (auto item = draw()) pending_.push_back(*std::move(item));
  }
  return !pending_.empty();
}

std::int64_t Loop::length() {
  while (auto item = draw()) pending_.push_back(*std::move(item));
  return index0_ + 1 + static_cast<std::int64_t>(pending_.size());
}

std::optional<Value> Loop::attribute(Runtime& runtime, std::string_view name) {
  if (name == "index") return Value(index0_ + 1);
  if (name == "index0") return Value(index0_);
  if (name == "first") return Value(index0_ == 0);
  if (name == "last") return Value(!has_next());
  if (name == "length") return Value(length());
  if (name == "revindex") return Value(length() - index0_);
  if (name == "revindex0") return Value(length() - index0_ - 1);
  if (name == "depth") return Value(depth_ + 1);
  if (name == "depth0") return Value(depth_);
  if (name == "previtem") return previous_ ? *previous_ : runtime.undefined("there is no previous item");
  if (name == "nextitem") return has_next() ? pending_.front() : runtime.undefined("there is no next item");
  if (name == "cycle" || name == "changed") {
    return Value(ObjectPtr(std::make_shared<LoopMethod>(shared_from_this(), name == "cycle")));
  }
  return std::nullopt;
}

Value Loop::cycle(Runtime& runtime, const Arguments& arguments) const {
  if (arguments.positional.empty()) runtime.type_error("loop.cycle() needs items to cycle through");
  return arguments.positional[static_cast<std::size_t>(index0_) % arguments.positional.size()];
}

Value Loop::changed(Runtime& runtime, const Arguments& arguments) {
  const std::vector<Value>& now = arguments.positional;
  bool same = last_changed_.has_value() && last_changed_->size() == now.size();
  for (std::size_t i = 0; same && i < now.size(); ++i) same = equal(runtime, (*last_changed_)[i], now[i]);
  last_changed_ = now;
  return Value(!same);
}

}  // namespace partita::internal::jinja
