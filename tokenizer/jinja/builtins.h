// The built-in filters, tests, methods and functions of templates.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

using Filter = Value (*)(Runtime& runtime, const Value& input, const Arguments& arguments);
using Test = bool (*)(Runtime& runtime, const Value& input, const Arguments& arguments);
using Method = Value (*)(Runtime& runtime, const Value& self, const Arguments& arguments);

/// Null if there is none of that name.
Filter find_filter(std::string_view name);
Test find_test(std::string_view name);
/// Calls the filter or test; first counts the bytes of `input` as touched if it is a string. A filter or test
/// that does more work per character counts that itself.
Value run_filter(Filter filter, Runtime& runtime, const Value& input, const Arguments& arguments);
bool run_test(Test test, Runtime& runtime, const Value& input, const Arguments& arguments);
/// A method of str, list, tuple or dict, bound to `self`; nullopt if the type has no such method; an
/// undefined value for methods that mutate `self`; kUnsupported for Python's other methods.
std::optional<Value> find_method(Runtime& runtime, const Value& self, std::string_view name);
/// range, namespace, dict, raise_exception, strftime_now; nullopt for other names.
std::optional<Value> find_function(std::string_view name);

/// object.name: a method or attribute, else an item, else undefined.
Value attribute_of(Runtime& runtime, const Value& object, std::string_view name);
/// object[key]: an item, else an attribute, else undefined.
Value item_of(Runtime& runtime, const Value& object, const Value& key);

/// Refuses names that begin with an underscore, as transformers does.
void check_namespace_name(const Runtime& runtime, std::string_view name);

namespace detail {

struct NamedFilter {
  std::string_view name;
  Filter filter;
};
struct NamedTest {
  std::string_view name;
  Test test;
};
/// The tables of find_test() and, by subject, of find_filter().
std::span<const NamedTest> tests();
const std::vector<NamedFilter>& text_filters();
const std::vector<NamedFilter>& sequence_filters();
const std::vector<NamedFilter>& number_filters();

/// Python's int(text, base) and float(text); nullopt where Python raises ValueError.
std::optional<std::int64_t> parse_integer(Runtime& runtime, std::string_view text, int base);
std::optional<double> parse_float(std::string_view text);

/// text.replace(from, to), at most `limit` times unless negative.
Value replace_text(Runtime& runtime, const Text& text, const Text& from, const Text& to, std::int64_t limit);
/// glue.join(parts)
Value join_texts(Runtime& runtime, const Text& glue, const std::vector<Text>& parts);
Value strip_text(Runtime& runtime, const Text& text, const Text* chars, bool left, bool right);

}  // namespace detail
}  // namespace partita::internal::jinja
