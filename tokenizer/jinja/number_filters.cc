// Filters that return numbers.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/parse_number.h"
#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {
namespace {

std::optional<std::int64_t> truncate(Runtime& runtime, double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::fabs(value) >= 9223372036854775808.0) runtime.unsupported("an integer beyond 64 bits");
  return static_cast<std::int64_t>(value);
}

Value to_int(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "int", arguments, {"default", "base"});
  const Value otherwise = p.has(0) ? p[0] : Value(std::int64_t{0});
  runtime.refuse_undefined(input);
  if (input.get<std::uint64_t>()) return input;
  if (const auto integer = input.integer()) return Value(*integer);
  std::optional<double> number = input.number();
  if (const Text* text = input.text()) {
    runtime.walk(text->size());
    const auto base = static_cast<int>(std::clamp<std::int64_t>(p.integer(1, 10), -1, 100));
    if (const auto integer = parse_integer(runtime, text->bytes(), base)) return Value(*integer);
    number = parse_float(text->bytes());
  }
  const auto integer = number ? truncate(runtime, *number) : std::nullopt;
  return integer ? Value(*integer) : otherwise;
}

Value to_float(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters p(runtime, "float", arguments, {"default"});
  runtime.refuse_undefined(input);
  std::optional<double> number = input.number();
  if (const Text* text = input.text()) {
    runtime.walk(text->size());
    number = parse_float(text->bytes());
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

const std::vector<NamedFilter>& number_filters() {
  static const std::vector<NamedFilter> filters = {
      {"int", to_int},    {"float", to_float}, {"abs", absolute},        {"round", round},
      {"length", length}, {"count", length},   {"wordcount", wordcount},
  };
  return filters;
}

}  // namespace partita::internal::jinja
