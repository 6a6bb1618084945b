#include "tokenizer/jinja/compare.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

namespace partita::internal::jinja {
namespace {

[[noreturn]] void not_comparable(const Runtime& runtime, const Value& a, const Value& b) {
  runtime.type_error("'<' is not supported between '" + std::string(type_name(a)) + "' and '" +
                     std::string(type_name(b)) + "'");
}

// -1, 0, 1; nullopt if one is NaN. long double holds every int64, uint64 and double.
std::optional<int> order_numbers(const Value& a, const Value& b) {
  const auto exact = [](const Value& value) {
    if (const auto i = value.integer()) return static_cast<long double>(*i);
    if (const auto* u = value.get<std::uint64_t>()) return static_cast<long double>(*u);
    return static_cast<long double>(*value.get<double>());
  };
  const long double x = exact(a);
  const long double y = exact(b);
  if (std::isnan(x) || std::isnan(y)) return std::nullopt;
  return x < y ? -1 : x > y ? 1 : 0;
}

bool sequences_equal(Runtime& runtime, const Sequence& a, const Sequence& b) {
  if (&a == &b) return true;
  if (a.kind != b.kind || !a.indexable() || a.items.size() != b.items.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!equal(runtime, a.items[i], b.items[i])) return false;
  }
  return true;
}

bool dicts_equal(Runtime& runtime, const Dict& a, const Dict& b) {
  if (&a == &b) return true;
  if (a.size() != b.size()) return false;
  for (const auto& [key, value] : a.items()) {
    const Value* other = b.find(key);
    if (other == nullptr || !equal(runtime, value, *other)) return false;
  }
  return true;
}

}  // namespace

bool equal(Runtime& runtime, const Value& a, const Value& b) {
  runtime.step();
  if (a.text() && b.text()) {
    runtime.touch(std::min(a.text()->size(), b.text()->size()));
    return a.text()->bytes() == b.text()->bytes();
  }
  if (a.number() && b.number()) return order_numbers(a, b) == 0;
  if (a.sequence() && b.sequence()) return sequences_equal(runtime, *a.sequence(), *b.sequence());
  if (a.dict() && b.dict()) return dicts_equal(runtime, *a.dict(), *b.dict());
  if (a.object() || b.object()) return a.object() == b.object();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

bool items_less(Runtime& runtime, const std::vector<Value>& a, const std::vector<Value>& b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (!equal(runtime, a[i], b[i])) return less(runtime, a[i], b[i]);
  }
  return a.size() < b.size();
}

bool less(Runtime& runtime, const Value& a, const Value& b) {
  runtime.step();
  runtime.refuse_undefined(a);
  runtime.refuse_undefined(b);
  if (a.text() && b.text()) {
    runtime.touch(std::min(a.text()->size(), b.text()->size()));
    return a.text()->bytes() < b.text()->bytes();
  }
  if (a.number() && b.number()) return order_numbers(a, b) == -1;
  const Sequence* s = a.sequence();
  const Sequence* t = b.sequence();
  if (s == nullptr || t == nullptr || s->kind != t->kind || !s->is_list_or_tuple())
    not_comparable(runtime, a, b);
  return items_less(runtime, s->items, t->items);
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  if (const Text* text = container.text()) {
    if (const Text* part = item.text()) {
      runtime.search(text->size() + 3 * part->size());  // preparing the search costs more than it
      return find_bytes(text->bytes(), part->bytes(), 0) != std::string_view::npos;
    }
    runtime.type_error("'in <str>' needs a str on its left, not " + std::string(type_name(item)));
  }
  if (const Dict* dict = container.dict()) {
    if (!hashable(item)) runtime.type_error("unhashable type: '" + std::string(type_name(item)) + "'");
    runtime.look_up(item);
    return dict->find(item) != nullptr;
  }
  const SequencePtr elements = runtime.elements(container);
  return std::any_of(elements->items.begin(), elements->items.end(),
                     [&](const Value& element) { return equal(runtime, element, item); });
}

bool compare(Runtime& runtime, Comparison op, const Value& a, const Value& b) {
  const auto is_nan = [](const Value& v) { return v.get<double>() && std::isnan(*v.get<double>()); };
  switch (op) {
    case Comparison::kEqual:
      return equal(runtime, a, b);
    case Comparison::kNotEqual:
      return !equal(runtime, a, b);
    case Comparison::kLess:
      return less(runtime, a, b);
    case Comparison::kGreater:
      return less(runtime, b, a);
    case Comparison::kLessEqual:
      return !less(runtime, b, a) && !is_nan(a) && !is_nan(b);
    case Comparison::kGreaterEqual:
      return !less(runtime, a, b) && !is_nan(a) && !is_nan(b);
    case Comparison::kIn:
      return contains(runtime, b, a);
    case Comparison::kNotIn:
      return !contains(runtime, b, a);
  }
  return false;
}

}  // namespace partita::internal::jinja
