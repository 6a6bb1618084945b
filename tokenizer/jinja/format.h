// Formatting by pattern: the % operator, str.format() and strftime_now().
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// format % values, with all of Python's conversions.
Value percent_format(Runtime& runtime, const Text& format, const Value& values);

/// format.format(...), with look-ups, conversions and format specifications.
Value brace_format(Runtime& runtime, const Text& format, const Arguments& arguments);

/// Formats a time by a strftime() pattern, with English names. `now`: seconds since the epoch, formatted as
/// UTC; if absent, the current local time.
std::string format_time(Runtime& runtime, std::string_view pattern, std::optional<std::int64_t> now);

}  // namespace partita::internal::jinja
