// Filters that return numbers.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

#include "tokenizer/jinja/builtins.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/print.h"

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

std::optional<std::int64_t> detail::parse_integer(Runtime& runtime, std::string_view text, int base) {
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

std::optional<double> detail::parse_float(std::string_view text) {
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

namespace {

std::optional<std::int64_t> truncate(Runtime& runtime, double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::fabs(value) >= 9223372036854775808.0) runtime.unsupported("an integer beyond 64 bits");
  return static_cast<std::int64_t>(value);
}

Value to_int(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "int", arguments, {"default", "base"});
  const Value otherwise = p.has(0) ? p[0] : Value(std::int64_t{0});
  if (const auto* undefined = input.get<Undefined>()) runtime.undefined_error(*undefined);
  if (input.get<std::uint64_t>()) return input;
  if (const auto integer = input.integer()) return Value(*integer);
  std::optional<double> number = input.number();
  if (const Text* text = input.text()) {
    runtime.walk(text->size());
    const auto base = static_cast<int>(std::clamp<std::int64_t>(p.integer(1, 10), -1, 100));
    if (const auto integer = detail::parse_integer(runtime, text->bytes(), base)) return Value(*integer);
    number = detail::parse_float(text->bytes());
  }
  const auto integer = number ? truncate(runtime, *number) : std::nullopt;
  return integer ? Value(*integer) : otherwise;
}

Value to_float(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "float", arguments, {"default"});
  if (const auto* undefined = input.get<Undefined>()) runtime.undefined_error(*undefined);
  std::optional<double> number = input.number();
  if (const Text* text = input.text()) {
    runtime.walk(text->size());
    number = detail::parse_float(text->bytes());
  }
  if (number) return Value(*number);
  return p.has(0) ? p[0] : Value(0.0);
}

Value absolute(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "abs", arguments, {});
  const auto number = unary_plus(runtime, input);
  return *number.number() < 0   ? negate(runtime, number)
         : number.get<double>() ? Value(std::fabs(*number.number()))
                                : number;
}

// Rounds half to even on the exact binary value, like Python: to_chars() returns correctly rounded digits.
double round_to(Runtime& runtime, double value, std::int64_t precision) {
  if (precision < 0) runtime.unsupported("round to a negative precision");
  if (!std::isfinite(value) || precision > 320) return value;
  runtime.step(8 + static_cast<std::size_t>(precision) / 8);
  char buffer[700];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed,
                                 static_cast<int>(precision))
                       .ptr;
  double rounded = 0;
  std::from_chars(buffer, end, rounded);
  return rounded;
}

Value round(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "round", arguments, {"precision", "method"});
  const std::int64_t precision = p.integer(0, 0);
  const std::string method = p.has(1) ? p.text(1).bytes() : "common";
  if (method != "common" && method != "ceil" && method != "floor") {
    runtime.type_error("round: the method must be common, ceil or floor, not '" + method + "'");
  }
  const Value number = unary_plus(runtime, input);
  if (method == "common") {
    if (number.integer() && precision >= 0) return number;
    return Value(round_to(runtime, *number.number(), precision));
  }
  if (precision < 0 || precision > 300)
    runtime.unsupported("round to precision " + std::to_string(precision));
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = *number.number() * scale;
  return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value length(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "length", arguments, {});
  if (const Text* text = input.text()) runtime.walk(text->size());
  if (const auto count = length_of(input)) return Value(*count);
  runtime.type_error("object of type '" + std::string(type_name(input)) + "' has no len()");
}

Value wordcount(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Parameters(runtime, "wordcount", arguments, {});
  std::int64_t count = 0;
  bool inside = false;
  const Text text = to_text(runtime, input);
  runtime.walk(text.footprint());
  map_characters(text, [&](char32_t code) {
    const bool word = code == U'_' || is_alpha(code) || is_digit(code);
    if (word && !inside) ++count;
    inside = word;
    return code;
  });
  return Value(count);
}

}  // namespace

const std::vector<detail::NamedFilter>& detail::number_filters() {
  static const std::vector<NamedFilter> filters = {
      {"int", to_int},    {"float", to_float}, {"abs", absolute},        {"round", round},
      {"length", length}, {"count", length},   {"wordcount", wordcount},
  };
  return filters;
}

}  // namespace partita::internal::jinja
