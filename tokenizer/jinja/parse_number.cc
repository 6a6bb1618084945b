#include "tokenizer/jinja/parse_number.h"

#include <cctype>
#include <charconv>
#include <cstdlib>
#include <string>

#include "tokenizer/jinja/text.h"

namespace partita::internal::jinja {
namespace {

std::string_view stripped(std::string_view text) {
  const Range kept = strip_range(text, nullptr, true, true);
  return text.substr(kept.begin, kept.end - kept.begin);
}

// The digits without Python's single underscores between them; nullopt if an underscore is elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    const bool between = i > 0 && i + 1 < text.size() &&
                         std::isalnum(static_cast<unsigned char>(text[i - 1])) &&
                         std::isalnum(static_cast<unsigned char>(text[i + 1]));
    if (!between) return std::nullopt;
  }
  return out;
}

bool take_sign(std::string_view& text) {
  if (text.empty() || (text[0] != '-' && text[0] != '+')) return false;
  const bool negative = text[0] == '-';
  text.remove_prefix(1);
  return negative;
}

// Removes "0x" and similar prefixes if the base allows it; base 0 becomes the base of the prefix.
void take_prefix(std::string_view& text, int& base) {
  const char kind = text.size() > 2 && text[0] == '0' ? static_cast<char>(text[1] | 0x20) : '\0';
  const int said = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
  if (said != 0 && (base == 0 || base == said)) {
    base = said;
    text.remove_prefix(2);
    if (!text.empty() && text[0] == '_') text.remove_prefix(1);
  } else if (base == 0) {
    base = 10;
  }
}

}  // namespace

std::optional<std::int64_t> parse_integer(Runtime& runtime, std::string_view text, int base) {
  if (base != 0 && (base < 2 || base > 36)) runtime.type_error("the base of int must be 0 or 2 to 36");
  text = stripped(text);
  const bool negative = take_sign(text);
  take_prefix(text, base);
  const auto digits = without_underscores(text);
  if (!digits || digits->empty() || (*digits)[0] == '-') return std::nullopt;
  const std::string number = (negative ? "-" : "") + *digits;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value, base);
  if (end != number.data() + number.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) runtime.unsupported("an integer beyond 64 bits");
  return error == std::errc() ? std::optional<std::int64_t>(value) : std::nullopt;
}

std::optional<double> parse_float(std::string_view text) {
  text = stripped(text);
  const bool negative = take_sign(text);
  const auto digits = without_underscores(text);
  // from_chars also accepts "nan(...)" and a second sign, which Python does not.
  if (!digits || digits->empty() || (*digits)[0] == '-' || digits->find('(') != std::string::npos) {
    return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(digits->data(), digits->data() + digits->size(), value);
  if (end != digits->data() + digits->size()) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    value = std::strtod(digits->c_str(), nullptr);  // 0 or infinity
  return negative ? -value : value;
}

}  // namespace partita::internal::jinja
