// Python's int(text, base) and float(text).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

/// Both return nullopt where Python raises ValueError.
std::optional<std::int64_t> parse_integer(Runtime& runtime, std::string_view text, int base);
std::optional<double> parse_float(std::string_view text);

}  // namespace partita::internal::jinja
