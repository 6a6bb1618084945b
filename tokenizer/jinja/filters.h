// The filters of templates.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

using Filter = Value (*)(Runtime& runtime, const Value& input, const Arguments& arguments);

/// Null if there is none of that name.
Filter find_filter(std::string_view name);

/// Calls the filter; first counts the bytes of `input` as touched if it is a string. A filter that does more
/// work per character counts that itself.
Value run_filter(Filter filter, Runtime& runtime, const Value& input, const Arguments& arguments);

struct NamedFilter {
  std::string_view name;
  Filter filter;
};
/// The tables of find_filter(), each in the file of its name.
const std::vector<NamedFilter>& text_filters();
const std::vector<NamedFilter>& sequence_filters();
const std::vector<NamedFilter>& number_filters();
const std::vector<NamedFilter>& group_filters();
const std::vector<NamedFilter>& wrap_filters();
const std::vector<NamedFilter>& web_filters();
const std::vector<NamedFilter>& pretty_filters();

}  // namespace partita::internal::jinja
