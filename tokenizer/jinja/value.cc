#include "tokenizer/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace partita::internal::jinja {

Value Value::big(std::uint64_t value) {
  Value out;
  if (value <= static_cast<std::uint64_t>(INT64_MAX)) {
    out.data_ = static_cast<std::int64_t>(value);
  } else {
    out.data_ = value;
  }
  return out;
}

std::optional<std::int64_t> Value::integer() const {
  if (const auto* i = get<std::int64_t>()) return *i;
  if (const auto* b = get<bool>()) return *b ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Value::number() const {
  if (const auto* d = get<double>()) return *d;
  if (const auto i = integer()) return static_cast<double>(*i);
  if (const auto* u = get<std::uint64_t>()) return static_cast<double>(*u);
  return std::nullopt;
}

std::optional<std::size_t> Dict::position(const Value& key, std::size_t hash) const {
  const auto [begin, end] = index_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (keys_equal(items_[it->second].first, key)) return it->second;
  }
  return std::nullopt;
}

const Value* Dict::find(const Value& key) const {
  const auto at = position(key, hash_of(key));
  return at ? &items_[*at].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  const auto [begin, end] = index_.equal_range(std::hash<std::string_view>()(key));
  for (auto it = begin; it != end; ++it) {
    const Text* text = items_[it->second].first.text();
    if (text != nullptr && text->bytes() == key) return &items_[it->second].second;
  }
  return nullptr;
}

void Dict::set(Value key, Value value) {
  depth_ = std::max({depth_, 1 + depth_of(key), 1 + depth_of(value)});
  const std::size_t hash = hash_of(key);
  if (const auto at = position(key, hash)) {
    items_[*at].second = std::move(value);
    return;
  }
  index_.emplace(hash, items_.size());
  items_.emplace_back(std::move(key), std::move(value));
}

std::optional<Value> Object::attribute(Runtime&, std::string_view) { return std::nullopt; }

std::optional<Value> Namespace::attribute(Runtime&, std::string_view name) {
  const auto it = index_.find(std::string(name));
  if (it == index_.end()) return std::nullopt;
  return attributes_[it->second].second;
}

void Namespace::set(const std::string& name, Value value) {
  const auto [it, is_new] = index_.try_emplace(name, attributes_.size());
  if (is_new) {
    attributes_.emplace_back(name, std::move(value));
  } else {
    attributes_[it->second].second = std::move(value);
  }
}

void Namespace::clear() {
  index_.clear();
  attributes_.clear();
}

namespace {

struct TypeName {
  std::string_view operator()(const Undefined&) const { return "Undefined"; }
  std::string_view operator()(const None&) const { return "NoneType"; }
  std::string_view operator()(bool) const { return "bool"; }
  std::string_view operator()(std::int64_t) const { return "int"; }
  std::string_view operator()(std::uint64_t) const { return "int"; }
  std::string_view operator()(double) const { return "float"; }
  std::string_view operator()(const TextPtr&) const { return "str"; }
  std::string_view operator()(const DictPtr&) const { return "dict"; }
  std::string_view operator()(const ObjectPtr& object) const { return object->type_name(); }
  std::string_view operator()(const SequencePtr& sequence) const {
    switch (sequence->kind) {
      case SequenceKind::kList:
        return "list";
      case SequenceKind::kTuple:
        return "tuple";
      case SequenceKind::kRange:
        return "range";
      case SequenceKind::kGenerator:
        return "generator";
      case SequenceKind::kKeys:
        return "dict_keys";
      case SequenceKind::kValues:
        return "dict_values";
      case SequenceKind::kItems:
        return "dict_items";
    }
    return "list";
  }
};

struct Truth {
  bool operator()(const Undefined&) const { return false; }
  bool operator()(const None&) const { return false; }
  bool operator()(bool value) const { return value; }
  bool operator()(std::int64_t value) const { return value != 0; }
  bool operator()(std::uint64_t) const { return true; }
  bool operator()(double value) const { return value != 0.0; }
  bool operator()(const TextPtr& text) const { return !text->empty(); }
  bool operator()(const SequencePtr& s) const { return !s->counted() || !s->items.empty(); }
  bool operator()(const DictPtr& dict) const { return dict->size() > 0; }
  bool operator()(const ObjectPtr&) const { return true; }
};

// Integers and equal floats have equal hashes.
std::size_t hash_number(double value) {
  constexpr double kTwo63 = 9223372036854775808.0;
  if (value >= -kTwo63 && value < kTwo63 && std::trunc(value) == value) {
    return std::hash<std::int64_t>()(static_cast<std::int64_t>(value));
  }
  return std::hash<double>()(value);
}

// The finalizer of SplitMix64: every bit of the result depends on every bit of the argument.
std::size_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return static_cast<std::size_t>(x ^ (x >> 31));
}

}  // namespace

std::string_view type_name(const Value& value) { return std::visit(TypeName{}, value.data()); }
bool truthy(const Value& value) { return std::visit(Truth{}, value.data()); }

int depth_of(const Value& value) {
  if (const Sequence* sequence = value.sequence()) return sequence->depth;
  if (const Dict* dict = value.dict()) return dict->depth();
  return 0;
}

bool hashable(const Value& value) {
  if (value.dict() != nullptr) return false;
  const Sequence* sequence = value.sequence();
  if (sequence == nullptr) return true;
  if (sequence->kind != SequenceKind::kTuple) return false;
  for (const Value& item : sequence->items) {
    // Nested tuples are not hashable: they would need a bounded traversal, and templates have no use for them
    // as keys.
    if (item.sequence() != nullptr || item.dict() != nullptr) return false;
  }
  return true;
}

std::size_t hash_of(const Value& value) {
  if (const Text* text = value.text()) return std::hash<std::string_view>()(text->bytes());
  if (const auto integer = value.integer()) return std::hash<std::int64_t>()(*integer);
  if (const auto number = value.number()) return hash_number(*number);
  if (const Object* object = value.object()) return std::hash<const void*>()(object);
  std::size_t hash = value.data().index();
  if (const Sequence* sequence = value.sequence()) {
    for (const Value& item : sequence->items) hash = mix(hash ^ hash_of(item));
  }
  return hash;
}

bool keys_equal(const Value& a, const Value& b) {
  if (a.text() && b.text()) return a.text()->bytes() == b.text()->bytes();
  if (a.integer() && b.integer()) return *a.integer() == *b.integer();
  if (a.number() && b.number()) return *a.number() == *b.number();
  if (a.object() || b.object()) return a.object() == b.object();
  const Sequence* s = a.sequence();
  const Sequence* t = b.sequence();
  if (s == nullptr || t == nullptr) return a.data().index() == b.data().index();
  if (s->items.size() != t->items.size()) return false;
  for (std::size_t i = 0; i < s->items.size(); ++i) {
    if (!keys_equal(s->items[i], t->items[i])) return false;
  }
  return true;
}

}  // namespace partita::internal::jinja
