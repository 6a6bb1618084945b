// Formatting by pattern: the % operator, str.format() and strftime_now().
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// format % values, for the conversions s r d i u x X o f F e E g G and %%.
Value percent_format(Runtime& runtime, const Text& format, const Value& values);

/// format.format(...), for {}, {0} and {name}; format specifications and look-ups inside are kUnsupported.
Value brace_format(Runtime& runtime, const Text& format, const Arguments& arguments);

/// Formats a time by a strftime() pattern, with English names. `now`: seconds since the epoch, formatted as
/// UTC; if absent, the current local time.
std::string format_time(Runtime& runtime, std::string_view pattern, std::optional<std::int64_t> now);

}  // namespace partita::internal::jinja
