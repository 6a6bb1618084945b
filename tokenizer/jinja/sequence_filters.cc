// Filters over lists, dicts and other iterables.
#include <algorithm>
#include <utility>

#include "tokenizer/jinja/attribute_path.h"
#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/print.h"
#include "tokenizer/jinja/tests.h"
#include "tokenizer/jinja/text_edits.h"

namespace partita::internal::jinja {
namespace {

Value first(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none(runtime, "first", arguments, {});
  if (const Sequence* sequence = input.sequence(); sequence != nullptr && !sequence->counted()) {
    if (sequence->taken < sequence->items.size()) return sequence->items[sequence->taken++];
    if (sequence->failure != nullptr) throw JinjaError{*sequence->failure};
    return runtime.undefined("no first item, the sequence was empty");
  }
  const SequencePtr items = runtime.elements(input);
  return items->items.empty() ? runtime.undefined("no first item, the sequence was empty") : items->items[0];
}

Value last(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none(runtime, "last", arguments, {});
  if (input.sequence() != nullptr && !input.sequence()->counted()) {
    runtime.type_error("'generator' object is not reversible");
  }
  const SequencePtr items = runtime.elements(input);
  if (items->items.empty()) return runtime.undefined("no last item, the sequence was empty");
  return items->items.back();
}

Value list(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none(runtime, "list", arguments, {});
  return runtime.list(runtime.elements(input)->items);
}

void append_pairs(Runtime& runtime, const Dict& dict, std::vector<Value>& items) {
  for (const auto& [key, value] : dict.items()) {
    items.push_back(runtime.sequence(SequenceKind::kTuple, {key, value}));
  }
}

Value items(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none(runtime, "items", arguments, {});
  return runtime.generator([&](std::vector<Value>& out) {
    if (input.is_undefined()) return;
    if (input.dict() == nullptr)
      runtime.type_error("items needs a dict, not " + std::string(type_name(input)));
    append_pairs(runtime, *input.dict(), out);
  });
}

Value reverse(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none(runtime, "reverse", arguments, {});
  if (input.text() != nullptr) {
    return slice(runtime, input, Value(None{}), Value(None{}), Value(std::int64_t{-1}));
  }
  std::vector<Value> reversed = runtime.elements(input)->items;
  std::reverse(reversed.begin(), reversed.end());
  const bool generator = input.sequence() != nullptr && !input.sequence()->counted();
  // Python reverses a generator into a list, and anything else into an iterator.
  return runtime.sequence(generator ? SequenceKind::kList : SequenceKind::kGenerator, std::move(reversed));
}

Value join(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "join", arguments, {"d", "attribute"});
  const AttributePath path(runtime, p.has(1) ? p[1] : Value(None{}));
  const Text glue = p.has(0) ? to_text(runtime, p[0]) : Text();
  std::vector<Text> parts;
  std::size_t held = 0;  // bytes of the copies in `parts`
  const SequencePtr elements = runtime.elements(input);
  for (const Value& item : elements->items) {
    const Value part = path.of(item);
    runtime.touch_text(part);
    parts.push_back(to_text(runtime, part));
    runtime.reserve(parts.back().footprint());
    held += parts.back().footprint();
  }
  Value joined = join_texts(runtime, glue, parts);
  runtime.release(held);
  return joined;
}

Value sum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "sum", arguments, {"attribute", "start"});
  const AttributePath path(runtime, p.has(0) ? p[0] : Value(None{}));
  Value total = p.has(1) ? p[1] : Value(std::int64_t{0});
  if (total.text() != nullptr) runtime.type_error("sum cannot add strings; join can");
  const SequencePtr elements = runtime.elements(input);
  for (const Value& item : elements->items) {
    total = binary(runtime, BinaryOperator::kAdd, total, path.of(item));
  }
  return total;
}

Value extreme(Runtime& runtime, const Value& input, const Arguments& arguments, bool largest) {
  const Parameters p(runtime, largest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const KeyOf key(runtime, p.has(1) ? &p[1] : nullptr, p.flag(0, false));
  const SequencePtr items = runtime.elements(input);
  if (items->items.empty()) return runtime.undefined("no aggregated item, the sequence was empty");
  std::size_t best = 0;
  Value best_key = key.one(items->items[0]);
  for (std::size_t i = 1; i < items->items.size(); ++i) {
    Value next = key.one(items->items[i]);
    if (largest ? less(runtime, best_key, next) : less(runtime, next, best_key)) {
      best = i;
      best_key = std::move(next);
    }
  }
  return items->items[best];
}

Value minimum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return extreme(runtime, input, arguments, false);
}
Value maximum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return extreme(runtime, input, arguments, true);
}

Value sort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const KeyOf key(runtime, p.has(2) ? &p[2] : nullptr, p.flag(1, false), true);
  const SequencePtr elements = runtime.elements(input);
  std::vector<std::vector<Value>> keys;
  for (const Value& item : elements->items) keys.push_back(key.all(item));
  return runtime.list(sorted_by(runtime, elements->items, keys, p.flag(0, false)));
}

Value dictsort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "dictsort", arguments, {"case_sensitive", "by", "reverse"});
  runtime.refuse_undefined(input);
  if (input.dict() == nullptr)
    runtime.type_error("dictsort needs a dict, not " + std::string(type_name(input)));
  const std::string by = p.has(1) ? p.text(1).bytes() : "key";
  if (by != "key" && by != "value") {
    runtime.type_error("dictsort sorts by 'key' or 'value', not by '" + by + "'");
  }
  const KeyOf key(runtime, nullptr, p.flag(0, false));
  std::vector<Value> pairs, keys;
  append_pairs(runtime, *input.dict(), pairs);
  for (const Value& pair : pairs) keys.push_back(key.one(pair.sequence()->items[by == "key" ? 0 : 1]));
  return runtime.list(sorted_by(runtime, pairs, keys, p.flag(2, false)));
}

Value unique(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "unique", arguments, {"case_sensitive", "attribute"});
  return runtime.generator([&](std::vector<Value>& out) {
    const KeyOf key(runtime, p.has(1) ? &p[1] : nullptr, p.flag(0, false));
    Dict seen;
    runtime.each(input, [&](const Value& item) {
      const Value k = key.one(item);
      if (!hashable(k)) runtime.type_error("unhashable type: '" + std::string(type_name(k)) + "'");
      runtime.look_up(k);
      if (seen.find(k) != nullptr) return;
      seen.set(k, Value(true));
      out.push_back(item);
    });
  });
}

Value default_value(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "default", arguments, {"default_value", "boolean"});
  if (!input.is_undefined() && !(p.flag(1, false) && !truthy(input))) return input;
  return p.has(0) ? p[0] : runtime.text("", false);
}

Value attribute(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "attr", arguments, {"name"}, 1);
  const std::string& name = p.text(0).bytes();
  if (input.dict() == nullptr) return attribute_of(runtime, input, name);
  // For a dict only methods, not items: in this the filter differs from the dot.
  const auto method = find_method(runtime, input, name);
  return method ? *method : runtime.undefined("'dict object' has no attribute '" + name + "'");
}

// The arguments without the first `count` positional ones.
Arguments rest_of(const Arguments& arguments, std::size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

std::string name_argument(Runtime& runtime, const Value& value, std::string_view what) {
  if (const Text* text = value.text()) return text->bytes();
  runtime.type_error(std::string(what) + " must be a str, not " + std::string(type_name(value)));
}

void map_attribute(Runtime& runtime, const Value& input, const Arguments& arguments,
                   std::vector<Value>& out) {
  const Parameters p(runtime, "map", arguments, {"attribute", "default"}, 1);
  const AttributePath path(runtime, p[0]);
  runtime.each(input, [&](const Value& item) { out.push_back(path.of(item, p.has(1) ? &p[1] : nullptr)); });
}

void append_mapped(Runtime& runtime, const Value& input, const Arguments& arguments,
                   std::vector<Value>& out) {
  if (!truthy(input)) return;
  if (arguments.positional.empty()) {
    if (arguments.named.empty()) runtime.type_error("map needs a filter or an attribute");
    return map_attribute(runtime, input, arguments, out);
  }
  const std::string name = name_argument(runtime, arguments.positional[0], "map: the filter");
  const Filter filter = find_filter(name);
  if (filter == nullptr) runtime.unsupported("the filter '" + name + "'");
  const Arguments rest = rest_of(arguments, 1);
  runtime.each(input, [&](const Value& item) { out.push_back(run_filter(filter, runtime, item, rest)); });
}

Value map(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return runtime.generator([&](std::vector<Value>& out) { append_mapped(runtime, input, arguments, out); });
}

void append_chosen(Runtime& runtime, const Value& input, const Arguments& arguments, bool by_attribute,
                   bool wanted, std::vector<Value>& out) {
  if (!truthy(input)) return;
  const std::size_t offset = by_attribute ? 1 : 0;
  if (arguments.positional.size() < offset) runtime.type_error("the filter needs an attribute");
  const AttributePath path(runtime, by_attribute ? arguments.positional[0] : Value(None{}));
  Test test = nullptr;
  Arguments rest;
  if (arguments.positional.size() > offset) {
    const std::string name = name_argument(runtime, arguments.positional[offset], "the test");
    test = find_test(name);
    if (test == nullptr) runtime.unsupported("the test '" + name + "'");
    rest = rest_of(arguments, offset + 1);
  }
  runtime.each(input, [&](const Value& item) {
    const Value looked_at = path.of(item);
    const bool passes = test != nullptr ? run_test(test, runtime, looked_at, rest) : truthy(looked_at);
    if (passes == wanted) out.push_back(item);
  });
}

// select, reject, selectattr and rejectattr.
Value choose(Runtime& runtime, const Value& input, const Arguments& arguments, bool by_attribute,
             bool wanted) {
  return runtime.generator(
      [&](std::vector<Value>& out) { append_chosen(runtime, input, arguments, by_attribute, wanted, out); });
}

Value select(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return choose(runtime, input, arguments, false, true);
}
Value reject(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return choose(runtime, input, arguments, false, false);
}
Value selectattr(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return choose(runtime, input, arguments, true, true);
}
Value rejectattr(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return choose(runtime, input, arguments, true, false);
}

}  // namespace

const std::vector<NamedFilter>& sequence_filters() {
  static const std::vector<NamedFilter> filters = {
      {"first", first},
      {"last", last},
      {"list", list},
      {"items", items},
      {"reverse", reverse},
      {"join", join},
      {"sum", sum},
      {"min", minimum},
      {"max", maximum},
      {"sort", sort},
      {"unique", unique},
      {"dictsort", dictsort},
      {"default", default_value},
      {"d", default_value},
      {"attr", attribute},
      {"map", map},
      {"select", select},
      {"reject", reject},
      {"selectattr", selectattr},
      {"rejectattr", rejectattr},
  };
  return filters;
}

}  // namespace partita::internal::jinja
