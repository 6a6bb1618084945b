// Filters that make lists of the items of a sequence: batch, slice and groupby.
#include <algorithm>
#include <utility>

#include "tokenizer/jinja/attribute_path.h"
#include "tokenizer/jinja/compare.h"
#include "tokenizer/jinja/filters.h"

namespace partita::internal::jinja {
namespace {

void append_batches(Runtime& runtime, const Value& input, const Parameters& p, std::vector<Value>& batches) {
  constexpr std::int64_t kNever = -1;
  const std::int64_t size = p[0].integer().value_or(kNever);  // Python compares with other types too
  const SequencePtr elements = runtime.elements(input);
  std::vector<Value> batch;
  for (const Value& item : elements->items) {
    if (static_cast<std::int64_t>(batch.size()) == size) {
      batches.push_back(runtime.list(std::exchange(batch, {})));
    }
    batch.push_back(item);
  }
  if (!batch.empty()) {
    if (p.given(1) && static_cast<std::int64_t>(batch.size()) < p.integer(0, 0)) {
      runtime.check_text_size(static_cast<std::size_t>(size));
      runtime.step(static_cast<std::size_t>(size));
      batch.resize(static_cast<std::size_t>(size), p[1]);
    }
    batches.push_back(runtime.list(std::move(batch)));
  }
}

Value in_batches(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "batch", arguments, {"linecount", "fill_with"}, 1);
  return runtime.generator([&](std::vector<Value>& out) { append_batches(runtime, input, p, out); });
}

// The first `length % slices` slices have one item more than the others.
void append_slices(Runtime& runtime, const Value& input, const Parameters& p, std::vector<Value>& out) {
  const std::int64_t slices = p.integer(0, 0);
  const SequencePtr elements = runtime.elements(input);
  const std::vector<Value>& items = elements->items;
  if (slices == 0) runtime.type_error("slice cannot make 0 slices");
  if (slices < 0) return;
  const auto length = static_cast<std::int64_t>(items.size());
  auto begin = items.begin();
  for (std::int64_t i = 0; i < slices; ++i) {
    const bool longer = i < length % slices;
    const auto end = begin + length / slices + (longer ? 1 : 0);
    std::vector<Value> one(begin, end);
    if (p.given(1) && !longer) one.push_back(p[1]);
    out.push_back(runtime.list(std::move(one)));
    begin = end;
  }
}

Value in_slices(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "slice", arguments, {"slices", "fill_with"}, 1);
  return runtime.generator([&](std::vector<Value>& out) { append_slices(runtime, input, p, out); });
}

Value grouped(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  const Value* const otherwise = p.has(1) ? &p[1] : nullptr;
  const KeyOf key(runtime, &p[0], p.flag(2, false));
  const AttributePath path(runtime, p[0]);
  const SequencePtr elements = runtime.elements(input);
  std::vector<Value> keys;
  for (const Value& item : elements->items) keys.push_back(key.one(item, otherwise));
  const std::vector<Value> items = sorted_by(runtime, elements->items, keys, false);
  std::vector<Value> groups;
  for (std::size_t begin = 0; begin < items.size();) {
    const Value first = key.one(items[begin], otherwise);
    std::size_t end = begin + 1;
    while (end < items.size() && equal(runtime, first, key.one(items[end], otherwise))) ++end;
    const auto at = [&items](std::size_t i) { return items.begin() + static_cast<std::ptrdiff_t>(i); };
    groups.push_back(runtime.group(path.of(items[begin], otherwise), runtime.list({at(begin), at(end)})));
    begin = end;
  }
  return runtime.list(std::move(groups));
}

}  // namespace

const std::vector<NamedFilter>& group_filters() {
  static const std::vector<NamedFilter> filters = {
      {"batch", in_batches}, {"slice", in_slices}, {"groupby", grouped}};
  return filters;
}

}  // namespace partita::internal::jinja
