#include "tokenizer/jinja/format_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace partita::internal::jinja {

std::string integer_digits(std::uint64_t magnitude, char type) {
  const int base = type == 'b' ? 2 : type == 'o' ? 8 : type == 'x' || type == 'X' ? 16 : 10;
  char digits[64];
  char* const end = std::to_chars(digits, digits + sizeof digits, magnitude, base).ptr;
  if (type == 'X') {
    std::transform(digits, end, digits, [](char d) -> char { return d >= 'a' ? d - 'a' + 'A' : d; });
  }
  return {digits, end};
}

std::string float_digits(Runtime& runtime, double magnitude, char type, int precision, bool alternate) {
  const char plain[] = {'%', '.', '*', type, '\0'};
  const char marked[] = {'%', '#', '.', '*', type, '\0'};
  if (precision < 0) precision = 6;
  runtime.step(8 + static_cast<std::size_t>(precision) / 8);
  std::string text(static_cast<std::size_t>(precision) + 350, '\0');  // 309 digits before the point at most
  const int length =
      std::snprintf(text.data(), text.size(), alternate ? marked : plain, precision, std::fabs(magnitude));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

}  // namespace partita::internal::jinja
