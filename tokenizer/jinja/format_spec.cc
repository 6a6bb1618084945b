#include "tokenizer/jinja/format_spec.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "tokenizer/jinja/format_number.h"
#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {
namespace {

struct Spec {
  std::string fill;   // one character; empty: a space, or "0" if `zeros`
  char align = '\0';  // '<', '>', '=' or '^'; 0: the type's own
  char sign = '-';
  bool alternate = false, zeros = false;
  int width = 0;
  int precision = -1;
  char grouping = '\0';  // ',' or '_'
  char type = '\0';
};

bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

class SpecParser {
 public:
  SpecParser(Runtime& runtime, std::string_view text) : runtime_(runtime), text_(text) {}

  Spec run() {
    Spec spec;
    read_align(spec);
    if (at('+') || at('-') || at(' ')) spec.sign = take();
    if (at('z')) runtime_.unsupported("'z' in a format");
    if (at('#')) spec.alternate = take() == '#';
    if (at('0')) {
      spec.zeros = take() == '0';
      if (spec.fill.empty()) spec.fill = "0";
    }
    if (spec.fill.empty()) spec.fill = " ";
    spec.width = std::max(number(), 0);
    if (at(',') || at('_')) spec.grouping = take();
    if (at('.')) {
      take();
      spec.precision = number();
      if (spec.precision < 0) fail();
    }
    if (next_ < text_.size()) spec.type = take();
    if (next_ < text_.size()) fail();
    return spec;
  }

 private:
  bool at(char c) const { return next_ < text_.size() && text_[next_] == c; }
  char take() { return text_[next_++]; }
  [[noreturn]] void fail() const {
    runtime_.type_error("the format '" + std::string(text_.substr(0, 80)) + "' is not valid");
  }

  void read_align(Spec& spec) {
    if (text_.empty()) return;
    const std::size_t length = character_at(text_, 0).length;
    if (length < text_.size() && is_align(text_[length])) {
      spec.fill = text_.substr(0, length);
      spec.align = text_[length];
      next_ = length + 1;
    } else if (is_align(text_[0])) {
      spec.align = take();
    }
  }

  /// -1: no digits.
  int number() {
    int value = -1;
    for (; next_ < text_.size() && text_[next_] >= '0' && text_[next_] <= '9'; ++next_) {
      value = std::max(value, 0) * 10 + (text_[next_] - '0');
      if (value > kMaxFormatWidth) {
        runtime_.unsupported("a format width above " + std::to_string(kMaxFormatWidth));
      }
    }
    return value;
  }

  Runtime& runtime_;
  std::string_view text_;
  std::size_t next_ = 0;
};

/// The text with fill characters up to the width; '=' counts as '>'.
Text aligned(Runtime& runtime, const Spec& spec, const Text& text, char own_align) {
  runtime.walk(text.footprint() + static_cast<std::size_t>(spec.width));
  const std::size_t length = character_count(text.bytes());
  const auto width = static_cast<std::size_t>(spec.width);
  const std::size_t missing = width > length ? width - length : 0;
  const char align = spec.align == '\0' ? own_align : spec.align;
  const std::size_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  Text out;
  for (std::size_t i = 0; i < left; ++i) out.append(spec.fill, false);
  out.append(text);
  for (std::size_t i = left; i < missing; ++i) out.append(spec.fill, false);
  return out;
}

// A number before alignment: sign and prefix, digits that are grouped, and the rest such as ".5e+07".
struct NumberText {
  std::string lead, digits, rest;
};

std::size_t grouped_size(std::size_t digits, std::size_t group) {
  return group == 0 || digits == 0 ? digits : digits + (digits - 1) / group;
}

std::string grouped(const std::string& digits, char separator, std::size_t group) {
  if (group == 0) return digits;
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % group == 0) out += separator;
    out += digits[i];
  }
  return out;
}

Text number_aligned(Runtime& runtime, const Spec& spec, NumberText number) {
  const bool by_four = spec.type == 'b' || spec.type == 'o' || spec.type == 'x' || spec.type == 'X';
  const std::size_t group = spec.grouping == '\0' ? 0 : by_four ? 4 : 3;
  const char align = spec.align == '\0' ? (spec.zeros ? '=' : '>') : spec.align;
  const bool finite = !number.digits.empty() && number.digits[0] >= '0' && number.digits[0] <= '9';
  const bool hex = by_four && !number.digits.empty();
  const std::size_t others = number.lead.size() + number.rest.size();
  const auto width = static_cast<std::size_t>(spec.width);
  const auto size = [&] { return others + grouped_size(number.digits.size(), finite || hex ? group : 0); };
  if (align == '=' && spec.fill == "0") {
    std::size_t zeros = 0;
    while (others + grouped_size(number.digits.size() + zeros, group) < width) ++zeros;
    number.digits.insert(0, zeros, '0');
  }
  std::string inner;
  if (align == '=' && size() < width) {
    for (std::size_t i = size(); i < width; ++i) inner += spec.fill;
  }
  const std::string digits = grouped(number.digits, spec.grouping, finite || hex ? group : 0);
  const Text whole(number.lead + inner + digits + number.rest, false);
  return align == '=' ? whole : aligned(runtime, spec, whole, '>');
}

std::string sign_of(const Spec& spec, bool negative) {
  return negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
}

[[noreturn]] void wrong_type(Runtime& runtime, const Spec& spec, const Value& value) {
  runtime.type_error(std::string("the format type '") + spec.type + "' is not for a " +
                     std::string(type_name(value)));
}

Text format_text(Runtime& runtime, const Value& value, const Spec& spec) {
  if (spec.type != '\0' && spec.type != 's') wrong_type(runtime, spec, value);
  if (spec.sign != '-' || spec.alternate || spec.grouping != '\0' || spec.align == '=') {
    runtime.type_error("a format for numbers, with a sign, '#', '=' or grouping, is not for a str");
  }
  Text text = *value.text();
  if (spec.precision >= 0) {
    std::size_t at = 0;
    for (int i = 0; i < spec.precision && at < text.size(); ++i) at += character_at(text.bytes(), at).length;
    text = text.slice(0, at);
  }
  return aligned(runtime, spec, text, '<');
}

Text format_float(Runtime& runtime, double value, Spec spec) {
  const double scaled = spec.type == '%' ? value * 100 : value;
  const bool negative = std::signbit(scaled) && !std::isnan(scaled);
  std::string text;
  if (spec.type == '\0' && spec.precision < 0) {
    text = float_repr(std::fabs(scaled));
  } else {
    const char type = spec.type == '%' ? 'f' : spec.type == 'n' || spec.type == '\0' ? 'g' : spec.type;
    text = float_digits(runtime, scaled, type, spec.precision, spec.alternate);
    // Without a type, at least one digit follows the point, and as many digits as the precision need an
    // exponent.
    if (spec.type == '\0' && std::isfinite(scaled) && text.find_first_of(".e") == std::string::npos) {
      const int most = std::max(spec.precision, 1);
      text = static_cast<int>(text.size()) >= most
                 ? float_digits(runtime, scaled, 'e', std::max(most - 1, 0), spec.alternate)
                 : text + ".0";
      // 'g' drops trailing zeros of the mantissa.
      if (const std::size_t e = text.find('e');
          e != std::string::npos && text.find('.') != std::string::npos) {
        std::size_t end = e;
        while (text[end - 1] == '0') --end;
        if (text[end - 1] == '.') --end;
        text.erase(end, e - end);
      }
    }
  }
  if (spec.type == '%') text += '%';
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0) return number_aligned(runtime, spec, {sign_of(spec, negative), "", text});
  return number_aligned(runtime, spec,
                        {sign_of(spec, negative), text.substr(0, digits), text.substr(digits)});
}

Text format_integer(Runtime& runtime, const Value& value, std::int64_t number, Spec spec) {
  const std::string_view float_types = "eEfFgG%";
  if (spec.type != '\0' && float_types.find(spec.type) != std::string_view::npos) {
    return format_float(runtime, static_cast<double>(number), spec);
  }
  if (spec.type == '\0' || spec.type == 'n') spec.type = 'd';
  if (spec.precision >= 0) runtime.type_error("a precision is not for an int");
  if (spec.type == 'c') {
    if (spec.sign != '-' || spec.alternate)
      runtime.type_error("a sign or '#' is not for the format type 'c'");
    if (number < 0 || number > 0x10FFFF) runtime.type_error("the format type 'c' needs a Unicode character");
    std::string character;
    append_utf8(character, static_cast<char32_t>(number));
    return aligned(runtime, spec, Text(character, false), spec.zeros ? '>' : '<');
  }
  if (std::string_view("dboxX").find(spec.type) == std::string_view::npos) wrong_type(runtime, spec, value);
  if (spec.grouping == ',' && spec.type != 'd') runtime.type_error("',' is for decimal numbers");
  const std::string prefix = spec.alternate && spec.type != 'd' ? std::string("0") + spec.type : "";
  return number_aligned(
      runtime, spec,
      {sign_of(spec, number < 0) + prefix, integer_digits(magnitude_of(number), spec.type), ""});
}

}  // namespace

Text format_value(Runtime& runtime, const Value& value, std::string_view spec_text) {
  if (spec_text.empty()) {
    runtime.touch_text(value);
    return to_text(runtime, value).set_safe(false);
  }
  const Spec spec = SpecParser(runtime, spec_text).run();
  if (value.text() != nullptr) return format_text(runtime, value, spec);
  if (const auto number = value.integer()) return format_integer(runtime, value, *number, spec);
  if (value.get<std::uint64_t>() != nullptr) runtime.unsupported("an integer beyond 64 bits");
  const auto number = value.number();
  if (!number)
    runtime.type_error("a format with a specification is not for a " + std::string(type_name(value)));
  if (spec.type != '\0' && std::string_view("eEfFgGn%").find(spec.type) == std::string_view::npos) {
    wrong_type(runtime, spec, value);
  }
  return format_float(runtime, *number, spec);
}

}  // namespace partita::internal::jinja
