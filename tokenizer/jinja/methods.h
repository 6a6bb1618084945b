// The methods of str, list, tuple and dict, and access to attributes and items.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

using Method = Value (*)(Runtime& runtime, const Value& self, const Arguments& arguments);

/// A method of str, list, tuple or dict, bound to `self`; nullopt if the type has no such method; an
/// undefined value for methods that mutate `self`; kUnsupported for Python's other methods.
std::optional<Value> find_method(Runtime& runtime, const Value& self, std::string_view name);

/// object.name: a method or attribute, else an item, else undefined.
Value attribute_of(Runtime& runtime, const Value& object, std::string_view name);
/// object[key]: an item, else an attribute, else undefined.
Value item_of(Runtime& runtime, const Value& object, const Value& key);

struct NamedMethod {
  std::string_view name;
  Method method;
};
/// The methods of str.
const std::vector<NamedMethod>& text_methods();

}  // namespace partita::internal::jinja
