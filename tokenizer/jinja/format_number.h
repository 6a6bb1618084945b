// Numbers as digits, for the formats of both kinds: "%5d" and "{:5d}".
#pragma once

#include <cstdint>
#include <string>

#include "tokenizer/jinja/runtime.h"

namespace partita::internal::jinja {

inline constexpr int kMaxFormatWidth = 10'000;  // characters, and digits of a precision

/// type: d b o x or X.
std::string integer_digits(std::uint64_t magnitude, char type);

/// type: e E f F g or G. precision: below 0: 6. alternate: keeps the point and trailing zeros.
std::string float_digits(Runtime& runtime, double magnitude, char type, int precision, bool alternate);

/// |value|
inline std::uint64_t magnitude_of(std::int64_t value) {
  return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

}  // namespace partita::internal::jinja
