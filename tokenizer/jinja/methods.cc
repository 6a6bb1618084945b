#include "tokenizer/jinja/methods.h"

#include <algorithm>
#include <utility>

#include "tokenizer/jinja/format.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {
namespace {

using detail::NamedMethod;

class BoundMethod final : public Object {
 public:
  BoundMethod(Value self, Method method) : self_(std::move(self)), method_(method) {}
  const char* type_name() const override { return "method"; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, const Arguments& arguments) override {
    runtime.touch_text(self_);
    return method_(runtime, self_, arguments);
  }

 private:
  Value self_;
  Method method_;
};

class Function final : public Object {
 public:
  using Body = Value (*)(Runtime& runtime, const Arguments& arguments);
  explicit Function(Body body) : body_(body) {}
  const char* type_name() const override { return "function"; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, const Arguments& arguments) override { return body_(runtime, arguments); }

 private:
  Body body_;
};

Value get(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "dict.get()", arguments, {"key", "default"}, 1);
  if (!hashable(p[0])) runtime.type_error("unhashable type: '" + std::string(type_name(p[0])) + "'");
  runtime.look_up(p[0]);
  if (const Value* found = self.dict()->find(p[0])) return *found;
  return p.has(1) ? p[1] : Value(None{});
}

template <SequenceKind kind>
Value view(Runtime& runtime, const Value& self, const Arguments& arguments) {
  Parameters(runtime, "the dict's view", arguments, {});
  std::vector<Value> items;
  for (const auto& [key, value] : self.dict()->items()) {
    items.push_back(kind == SequenceKind::kKeys     ? key
                    : kind == SequenceKind::kValues ? value
                                                    : runtime.sequence(SequenceKind::kTuple, {key, value}));
  }
  return runtime.sequence(kind, std::move(items));
}

Value copy(Runtime& runtime, const Value& self, const Arguments& arguments) {
  Parameters(runtime, "copy()", arguments, {});
  return self;  // values are immutable, so a copy is not needed
}

Value index(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "list.index()", arguments, {"value"}, 1);
  const std::vector<Value>& items = self.sequence()->items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (equal(runtime, items[i], p[0])) return Value(static_cast<std::int64_t>(i));
  }
  runtime.type_error("the value is not in the list");
}

Value count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters p(runtime, "list.count()", arguments, {"value"}, 1);
  std::int64_t hits = 0;
  for (const Value& item : self.sequence()->items) hits += equal(runtime, item, p[0]) ? 1 : 0;
  return Value(hits);
}

const std::vector<NamedMethod>& dict_methods() {
  static const std::vector<NamedMethod> methods = {
      {"get", get},
      {"items", view<SequenceKind::kItems>},
      {"keys", view<SequenceKind::kKeys>},
      {"values", view<SequenceKind::kValues>},
      {"copy", copy},
  };
  return methods;
}

const std::vector<NamedMethod>& list_methods() {
  static const std::vector<NamedMethod> methods = {{"index", index}, {"count", count}, {"copy", copy}};
  return methods;
}

using Names = std::vector<std::string_view>;

// The methods of a type: supported ones, Python's that mutate it, and Python's that are not supported.
struct TypeMethods {
  const std::vector<NamedMethod>* known;
  const Names* mutating;
  const Names* unsupported;
};

std::optional<TypeMethods> methods_of(const Value& self) {
  static const Names none;
  static const Names text_unsupported = {"casefold",  "encode",    "expandtabs",   "format_map",
                                         "isascii",   "istitle",   "isidentifier", "isprintable",
                                         "isnumeric", "maketrans", "translate"};
  static const Names list_mutating = {"append", "clear", "pop",    "reverse",
                                      "insert", "sort",  "extend", "remove"};
  static const Names dict_mutating = {"clear", "pop", "popitem", "setdefault", "update"};
  static const Names dict_unsupported = {"fromkeys"};
  if (self.text() != nullptr) return TypeMethods{&detail::text_methods(), &none, &text_unsupported};
  if (self.dict() != nullptr) return TypeMethods{&dict_methods(), &dict_mutating, &dict_unsupported};
  const Sequence* sequence = self.sequence();
  if (sequence == nullptr || !sequence->indexable()) return std::nullopt;
  if (sequence->kind == SequenceKind::kList) return TypeMethods{&list_methods(), &list_mutating, &none};
  return TypeMethods{&list_methods(), &none, &none};
}

bool is_in(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::optional<Value> find_method(Runtime& runtime, const Value& self, std::string_view name) {
  const auto methods = methods_of(self);
  if (!methods) return std::nullopt;
  for (const auto& [known, method] : *methods->known) {
    if (known == name) return Value(ObjectPtr(std::make_shared<BoundMethod>(self, method)));
  }
  const auto described = [&] { return std::string(type_name(self)) + "." + std::string(name) + "()"; };
  if (is_in(*methods->mutating, name)) {
    return runtime.undefined(described() + " changes a value, which templates may not do");
  }
  if (is_in(*methods->unsupported, name)) runtime.unsupported("the method " + described());
  return std::nullopt;
}

namespace {

std::string described(const Value& object) {
  if (object.is_none()) return "None";
  return "'" + std::string(type_name(object)) + " object'";
}

}  // namespace

Value attribute_of(Runtime& runtime, const Value& object, std::string_view name) {
  runtime.touch(name.size());
  if (const auto* undefined = object.get<Undefined>()) runtime.undefined_error(*undefined);
  if (auto method = find_method(runtime, object, name)) return *std::move(method);
  if (object.object() != nullptr) {
    if (auto value = object.object()->attribute(runtime, name)) return *std::move(value);
  }
  if (const Dict* dict = object.dict()) {
    if (const Value* value = dict->find(name)) return *value;
  }
  return runtime.undefined(described(object) + " has no attribute '" + std::string(name) + "'");
}

Value item_of(Runtime& runtime, const Value& object, const Value& key) {
  if (auto value = find_item(runtime, object, key)) return *std::move(value);
  const Text* name = key.text();
  if (name == nullptr) {
    return runtime.undefined(described(object) + " has no such element");
  }
  runtime.touch(name->size());
  if (auto method = find_method(runtime, object, name->bytes())) return *std::move(method);
  if (object.object() != nullptr) {
    if (auto value = object.object()->attribute(runtime, name->bytes())) return *std::move(value);
  }
  return runtime.undefined(described(object) + " has no attribute '" + name->bytes() + "'");
}

namespace {

std::int64_t bound_of_range(Runtime& runtime, const Value& value) {
  if (const auto* undefined = value.get<Undefined>()) runtime.undefined_error(*undefined);
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
  return runtime.sequence(SequenceKind::kRange, std::move(items));
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

template <const char* name>
Value unsupported_function(Runtime& runtime, const Arguments&) {
  runtime.unsupported(std::string("the function ") + name + "()");
}
constexpr char kCycler[] = "cycler";
constexpr char kJoiner[] = "joiner";
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
      {"cycler", unsupported_function<kCycler>},
      {"joiner", unsupported_function<kJoiner>},
      {"lipsum", unsupported_function<kLipsum>},
  };
  for (const auto& [known, body] : kFunctions) {
    if (known == name) return Value(ObjectPtr(std::make_shared<Function>(body)));
  }
  return std::nullopt;
}

}  // namespace partita::internal::jinja
