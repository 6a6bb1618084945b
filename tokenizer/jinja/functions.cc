#include "tokenizer/jinja/functions.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/jinja/format.h"
#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {
namespace {

class Function final : public Callable {
 public:
  using Body = Value (*)(Runtime& runtime, const Arguments& arguments);
  explicit Function(Body body) : body_(body) {}
  const char* type_name() const override { return "function"; }
  Value call(Runtime& runtime, const Arguments& arguments) override { return body_(runtime, arguments); }

 private:
  Body body_;
};

std::int64_t bound_of_range(Runtime& runtime, const Value& value) {
  runtime.refuse_undefined(value);
  if (const auto integer = value.integer()) return *integer;
  runtime.type_error("range() needs int, not " + std::string(type_name(value)));
}

Value range(Runtime& runtime, const Arguments& arguments) {
  const std::vector<Value>& given = arguments.positional;
  if (given.empty() || given.size() > 3 || !arguments.named.empty()) {
    runtime.type_error("range() takes one to three positional arguments");
  }
  const std::int64_t start = given.size() > 1 ? bound_of_range(runtime, given[0]) : 0;
  const std::int64_t stop = bound_of_range(runtime, given[given.size() > 1 ? 1 : 0]);
  const std::int64_t step = given.size() > 2 ? bound_of_range(runtime, given[2]) : 1;
  if (step == 0) runtime.type_error("the step of range() must not be 0");
  std::vector<Value> items;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (items.size() == static_cast<std::size_t>(kMaxRange)) {
      runtime.fail(ErrorCode::kOutOfMemory,
                   "range() is longer than the limit of " + std::to_string(kMaxRange));
    }
    items.push_back(Value(at));
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return runtime.range(std::move(items), {start, stop, step});
}

// dict(mapping or pairs, name=value, ...)
Dict make_dict(Runtime& runtime, const Arguments& arguments, std::string_view callee) {
  Dict dict;
  if (arguments.positional.size() > 1)
    runtime.type_error(std::string(callee) + " takes one positional argument");
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (source.dict() != nullptr) {
      runtime.step(source.dict()->size());
      dict = *source.dict();
    } else {
      const SequencePtr elements = runtime.elements(source);
      for (const Value& item : elements->items) {
        const SequencePtr pair = runtime.elements(item);
        if (pair->items.size() != 2)
          runtime.type_error(std::string(callee) + " needs pairs of key and value");
        if (!hashable(pair->items[0])) runtime.type_error(std::string(callee) + ": a key is not hashable");
        runtime.look_up(pair->items[0]);
        dict.set(pair->items[0], pair->items[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) dict.set(runtime.text(name, false), value);
  return dict;
}

Value dict(Runtime& runtime, const Arguments& arguments) {
  return runtime.dict(make_dict(runtime, arguments, "dict()"));
}

Value make_namespace(Runtime& runtime, const Arguments& arguments) {
  const auto space = runtime.make_namespace();
  const Dict attributes = make_dict(runtime, arguments, "namespace()");
  for (const auto& [name, value] : attributes.items()) {
    if (name.text() == nullptr) runtime.type_error("namespace() needs str names");
    check_namespace_name(runtime, name.text()->bytes());
    runtime.reserve(name.text()->size() + 64);  // never released, as the namespace itself
    space->set(name.text()->bytes(), value);
  }
  return Value(ObjectPtr(space));
}

Value raise_exception(Runtime& runtime, const Arguments& arguments) {
  const Parameters p(runtime, "raise_exception()", arguments, {"message"}, 1);
  std::string message(to_text(runtime, p[0]).bytes());
  if (message.empty())
    message = "the template refuses its context with raise_exception(), and does not say why";
  throw JinjaError{{ErrorCode::kInvalidArgument, std::move(message)}};
}

Value strftime_now(Runtime& runtime, const Arguments& arguments) {
  const Parameters p(runtime, "strftime_now()", arguments, {"format"}, 1);
  runtime.step(10 + p.text(0).size());  // one step per field, and the time zone
  return runtime.text(format_time(runtime, p.text(0).bytes(), runtime.now()), false);
}

/// A method of an object that outlives its calls: the callable that holds it.
template <class Owner>
class ObjectMethod final : public Callable {
 public:
  using Body = Value (Owner::*)(Runtime& runtime);
  ObjectMethod(std::shared_ptr<Owner> owner, Body body) : owner_(std::move(owner)), body_(body) {}
  const char* type_name() const override { return "method"; }
  Value call(Runtime& runtime, const Arguments& arguments) override {
    const Parameters none(runtime, "the method", arguments, {});
    return ((*owner_).*body_)(runtime);
  }

 private:
  std::shared_ptr<Owner> owner_;
  Body body_;
};

/// cycler('odd', 'even'): next() gives the items in turn.
class Cycler final : public Object, public std::enable_shared_from_this<Cycler> {
 public:
  explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}
  const char* type_name() const override { return "Cycler"; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override {
    if (name == "current") return items_[at_];
    if (name == "pos") return Value(static_cast<std::int64_t>(at_));
    if (name == "items") return runtime.sequence(SequenceKind::kTuple, items_);
    if (name != "next" && name != "reset") return std::nullopt;
    const auto body = name == "next" ? &Cycler::next : &Cycler::reset;
    return Value(ObjectPtr(std::make_shared<ObjectMethod<Cycler>>(shared_from_this(), body)));
  }

 private:
  Value next(Runtime&) {
    const std::size_t now = std::exchange(at_, (at_ + 1) % items_.size());
    return items_[now];
  }
  Value reset(Runtime&) {
    at_ = 0;
    return Value(None{});
  }

  std::vector<Value> items_;
  std::size_t at_ = 0;
};

/// joiner(', '): nothing when it is called first, the separator after that.
class Joiner final : public Callable {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  const char* type_name() const override { return "Joiner"; }
  std::optional<Value> attribute(Runtime&, std::string_view name) override {
    if (name == "sep") return separator_;
    if (name == "used") return Value(used_);
    return std::nullopt;
  }
  Value call(Runtime& runtime, const Arguments& arguments) override {
    const Parameters none(runtime, "joiner", arguments, {});
    return std::exchange(used_, true) ? separator_ : runtime.text("", false);
  }

 private:
  Value separator_;
  bool used_ = false;
};

Value make_cycler(Runtime& runtime, const Arguments& arguments) {
  if (!arguments.named.empty()) runtime.type_error("cycler() takes no named arguments");
  if (arguments.positional.empty()) runtime.type_error("cycler() needs items to cycle through");
  runtime.reserve(256 + arguments.positional.size() * sizeof(Value));  // never released
  return Value(ObjectPtr(std::make_shared<Cycler>(arguments.positional)));
}

Value make_joiner(Runtime& runtime, const Arguments& arguments) {
  const Parameters p(runtime, "joiner()", arguments, {"sep"});
  runtime.reserve(256);  // never released
  return Value(ObjectPtr(std::make_shared<Joiner>(p.has(0) ? p[0] : runtime.text(", ", false))));
}

template <const char* name>
Value unsupported_function(Runtime& runtime, const Arguments&) {
  runtime.unsupported(std::string("the function ") + name + "()");
}
constexpr char kLipsum[] = "lipsum";

}  // namespace

void check_namespace_name(const Runtime& runtime, std::string_view name) {
  if (name.starts_with("_")) {
    runtime.type_error("a namespace cannot hold '" + std::string(name) +
                       "', whose name begins with an underscore");
  }
}

std::optional<Value> find_function(std::string_view name) {
  static constexpr std::pair<std::string_view, Function::Body> kFunctions[] = {
      {"range", range},
      {"dict", dict},
      {"namespace", make_namespace},
      {"raise_exception", raise_exception},
      {"strftime_now", strftime_now},
      {"cycler", make_cycler},
      {"joiner", make_joiner},
      {"lipsum", unsupported_function<kLipsum>},
  };
  for (const auto& [known, body] : kFunctions) {
    if (known == name) return Value(ObjectPtr(std::make_shared<Function>(body)));
  }
  return std::nullopt;
}

}  // namespace partita::internal::jinja
