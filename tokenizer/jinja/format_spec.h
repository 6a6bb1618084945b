// Python's format(value, spec), of "{:>8.2f}".
#pragma once

#include <string_view>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// spec: [[fill]align][sign][#][0][width][grouping][.precision][type], or empty. Fails where Python does.
Text format_value(Runtime& runtime, const Value& value, std::string_view spec);

}  // namespace partita::internal::jinja
