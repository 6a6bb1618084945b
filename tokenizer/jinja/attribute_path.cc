#include "tokenizer/jinja/attribute_path.h"

#include <algorithm>
#include <utility>

#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/parse_number.h"

namespace partita::internal::jinja {

AttributePath::AttributePath(Runtime& runtime, const Value& path) : runtime_(runtime) {
  const Text* text = path.text();
  if (text == nullptr) {
    if (!path.is_none()) parts_.push_back(path);
    return;
  }
  const std::string& bytes = text->bytes();
  for (std::size_t begin = 0; begin <= bytes.size();) {
    const std::size_t end = std::min(bytes.find('.', begin), bytes.size());
    parts_.push_back(part(bytes.substr(begin, end - begin)));
    begin = end + 1;
  }
}

Value AttributePath::of(Value item, const Value* otherwise) const {
  for (const Value& part : parts_) {
    runtime_.step();
    item = item_of(runtime_, item, part);
    if (otherwise != nullptr && !otherwise->is_none() && item.is_undefined()) item = *otherwise;
  }
  return item;
}

Value AttributePath::part(const std::string& name) const {
  const bool is_index = !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
  if (!is_index) return runtime_.text(name, false);
  const auto index = parse_integer(runtime_, name, 10);
  return Value(index.value_or(0));
}

KeyOf::KeyOf(Runtime& runtime, const Value* attribute, bool case_sensitive, bool several)
    : runtime_(runtime), case_sensitive_(case_sensitive) {
  const Text* names = attribute != nullptr && several ? attribute->text() : nullptr;
  if (names == nullptr) {
    paths_.emplace_back(runtime, attribute != nullptr ? *attribute : Value(None{}));
    return;
  }
  const std::string& bytes = names->bytes();
  for (std::size_t begin = 0; begin <= bytes.size();) {
    const std::size_t end = std::min(bytes.find(',', begin), bytes.size());
    paths_.emplace_back(runtime, runtime.text(bytes.substr(begin, end - begin), false));
    begin = end + 1;
  }
}

std::vector<Value> KeyOf::all(const Value& item) const {
  std::vector<Value> keys;
  for (const AttributePath& path : paths_) keys.push_back(fold(path.of(item)));
  return keys;
}

Value KeyOf::fold(Value key) const {
  if (case_sensitive_ || key.text() == nullptr) return key;
  runtime_.walk(key.text()->footprint());
  return runtime_.text(to_lower(*key.text()));
}

namespace {

// less(a, b): whether item a comes before item b.
template <class Less>
std::vector<Value> in_order(const std::vector<Value>& items, bool reversed, Less less) {
  std::vector<std::size_t> order(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return reversed ? less(b, a) : less(a, b); });
  std::vector<Value> out;
  out.reserve(order.size());
  for (const std::size_t i : order) out.push_back(items[i]);
  return out;
}

}  // namespace

std::vector<Value> sorted_by(Runtime& runtime, const std::vector<Value>& items,
                             const std::vector<Value>& keys, bool reversed) {
  return in_order(items, reversed,
                  [&](std::size_t a, std::size_t b) { return less(runtime, keys[a], keys[b]); });
}

std::vector<Value> sorted_by(Runtime& runtime, const std::vector<Value>& items,
                             const std::vector<std::vector<Value>>& keys, bool reversed) {
  return in_order(items, reversed,
                  [&](std::size_t a, std::size_t b) { return items_less(runtime, keys[a], keys[b]); });
}

}  // namespace partita::internal::jinja
