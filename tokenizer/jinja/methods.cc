#include "tokenizer/jinja/methods.h"

#include <algorithm>
#include <utility>

#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/operators.h"

namespace partita::internal::jinja {
namespace {

class BoundMethod final : public Callable {
 public:
  BoundMethod(Value self, Method method) : self_(std::move(self)), method_(method) {}
  const char* type_name() const override { return "method"; }
  Value call(Runtime& runtime, const Arguments& arguments) override {
    runtime.touch_text(self_);
    return method_(runtime, self_, arguments);
  }

 private:
  Value self_;
  Method method_;
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
  static const Names text_unsupported = {"casefold",     "encode",    "format_map", "istitle",
                                         "isidentifier", "isnumeric", "maketrans",  "translate"};
  static const Names list_mutating = {"append", "clear", "pop",    "reverse",
                                      "insert", "sort",  "extend", "remove"};
  static const Names dict_mutating = {"clear", "pop", "popitem", "setdefault", "update"};
  static const Names dict_unsupported = {"fromkeys"};
  if (self.text() != nullptr) return TypeMethods{&text_methods(), &none, &text_unsupported};
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

// The attribute of a group of groupby; null if it has no such one.
const Value* part_of_group(const Value& object, std::string_view name) {
  const Sequence* group = object.sequence();
  if (group == nullptr || !group->is_group || (name != "grouper" && name != "list")) return nullptr;
  return &group->items[name == "grouper" ? 0 : 1];
}

}  // namespace

Value attribute_of(Runtime& runtime, const Value& object, std::string_view name) {
  runtime.touch(name.size());
  runtime.refuse_undefined(object);
  if (auto method = find_method(runtime, object, name)) return *std::move(method);
  if (object.object() != nullptr) {
    if (auto value = object.object()->attribute(runtime, name)) return *std::move(value);
  }
  if (const Dict* dict = object.dict()) {
    if (const Value* value = dict->find(name)) return *value;
  }
  if (const Value* part = part_of_group(object, name)) return *part;
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
  if (const Value* part = part_of_group(object, name->bytes())) return *part;
  return runtime.undefined(described(object) + " has no attribute '" + name->bytes() + "'");
}

}  // namespace partita::internal::jinja
