#include "tokenizer/jinja/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {
namespace {

constexpr int kMaxFormatWidth = 10'000;

// One conversion such as %-8.3f.
struct Conversion {
  std::string key;  // of %(key)s
  bool has_key = false;
  bool left = false, plus = false, space = false, zero = false;
  int width = 0;
  int precision = -1;
  char type = 's';
};

class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, const Text& format, const Value& values)
      : runtime_(runtime), format_(format), bytes_(format.bytes()), values_(values) {}

  Text run() {
    runtime_.touch(format_.footprint());
    std::size_t at = 0;
    while (at < bytes_.size()) {
      const std::size_t percent = std::min(bytes_.find('%', at), bytes_.size());
      out_.append(format_, at, percent);
      at = percent;
      if (at == bytes_.size()) break;
      const Conversion conversion = parse(++at);
      if (conversion.type == '%') {
        out_.append(format_, at - 1, at);
      } else {
        append(conversion);
      }
      runtime_.step();
      runtime_.check_text_size(out_.size());
    }
    check_all_used();
    return std::move(out_);
  }

 private:
  char peek(std::size_t at) const {
    if (at >= bytes_.size()) runtime_.type_error("a format ends inside a conversion");
    return bytes_[at];
  }

  int number(std::size_t& at) const {
    int value = 0;
    for (; peek(at) >= '0' && peek(at) <= '9'; ++at) {
      value = value * 10 + (bytes_[at] - '0');
      if (value > kMaxFormatWidth) {
        runtime_.unsupported("a format width above " + std::to_string(kMaxFormatWidth));
      }
    }
    if (peek(at) == '*') runtime_.unsupported("'*' in a format");
    return value;
  }

  // Advances `at` past the conversion.
  Conversion parse(std::size_t& at) const {
    Conversion c;
    if (peek(at) == '(') {
      const std::size_t close = bytes_.find(')', at);
      if (close == std::string::npos) runtime_.type_error("a format has '%(' without ')'");
      c.key = bytes_.substr(at + 1, close - at - 1);
      c.has_key = true;
      at = close + 1;
    }
    for (bool flag = true; flag;) {
      switch (peek(at)) {
        case '-':
          c.left = true;
          break;
        case '+':
          c.plus = true;
          break;
        case ' ':
          c.space = true;
          break;
        case '0':
          c.zero = true;
          break;
        case '#':
          runtime_.unsupported("'#' in a format");
        default:
          flag = false;
      }
      if (flag) ++at;
    }
    c.width = number(at);
    if (peek(at) == '.') c.precision = number(++at);
    c.type = peek(at++);
    return c;
  }

  const Value& argument(const Conversion& c) {
    if (c.has_key) {
      const Dict* dict = values_.dict();
      if (dict == nullptr) runtime_.type_error("a format with names needs a dict");
      runtime_.touch(c.key.size());
      const Value* value = dict->find(c.key);
      if (value == nullptr) runtime_.type_error("a format names '" + c.key + "', which the dict lacks");
      return *value;
    }
    const Sequence* tuple = values_.sequence();
    if (tuple == nullptr || tuple->kind != SequenceKind::kTuple) {
      if (used_++ == 0) return values_;
    } else if (used_ < tuple->items.size()) {
      return tuple->items[used_++];
    }
    runtime_.type_error("a format has more conversions than values");
  }

  void check_all_used() const {
    const Sequence* tuple = values_.sequence();
    const bool is_tuple = tuple != nullptr && tuple->kind == SequenceKind::kTuple;
    const bool may_rest = values_.dict() != nullptr || (tuple != nullptr && !is_tuple);
    if (is_tuple ? used_ < tuple->items.size() : used_ == 0 && !may_rest) {
      runtime_.type_error("a format has fewer conversions than values");
    }
  }

  void append(const Conversion& c) {
    const Value& value = argument(c);
    switch (c.type) {
      case 's':
        runtime_.touch_text(value);
        return pad(c, cut(c, to_text(runtime_, value)));
      case 'r':
        return pad(c, cut(c, repr(runtime_, value)));
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return pad_number(c, integer(c, value));
      case 'f':
      case 'F':
      case 'e':
      case 'E':
      case 'g':
      case 'G':
        return pad_number(c, floating(c, value));
      default:
        runtime_.unsupported(std::string("the format conversion '%") + c.type + "'");
    }
  }

  static Text cut(const Conversion& c, Text text) {
    if (c.precision < 0) return text;
    std::size_t at = 0;
    for (int i = 0; i < c.precision && at < text.size(); ++i) at += character_at(text.bytes(), at).length;
    return text.slice(0, at);
  }

  std::string integer(const Conversion& c, const Value& value) const {
    const bool decimal = c.type == 'd' || c.type == 'i' || c.type == 'u';
    std::int64_t number = 0;
    if (const auto exact = value.integer()) {
      number = *exact;
    } else if (const auto* real = value.get<double>(); real != nullptr && decimal) {
      if (!(std::fabs(*real) < 9.2e18)) runtime_.unsupported("an integer beyond 64 bits");
      number = static_cast<std::int64_t>(*real);
    } else {
      runtime_.type_error(std::string("the format conversion '%") + c.type + "' needs a number, not " +
                          std::string(type_name(value)));
    }
    const auto magnitude =
        number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    const int base = decimal ? 10 : c.type == 'o' ? 8 : 16;
    char digits[32];
    char* const end = std::to_chars(digits, digits + sizeof digits, magnitude, base).ptr;
    if (c.type == 'X') {
      std::transform(digits, end, digits, [](char d) -> char { return d >= 'a' ? d - 'a' + 'A' : d; });
    }
    std::string text(digits, end);
    if (c.precision > static_cast<int>(text.size())) text.insert(0, c.precision - text.size(), '0');
    return (number < 0 ? "-" : sign(c)) + text;
  }

  std::string floating(const Conversion& c, const Value& value) const {
    const auto number = value.number();
    if (!number) {
      runtime_.type_error(std::string("the format conversion '%") + c.type + "' needs a number, not " +
                          std::string(type_name(value)));
    }
    const char pattern[] = {'%', '.', '*', c.type, '\0'};
    const int precision = c.precision < 0 ? 6 : c.precision;
    runtime_.step(8 + static_cast<std::size_t>(precision) / 8);
    const double magnitude = std::fabs(*number);
    std::string text(static_cast<std::size_t>(precision) + 350, '\0');  // 309 digits before the point at most
    const int length = std::snprintf(text.data(), text.size(), pattern, precision, magnitude);
    text.resize(static_cast<std::size_t>(length));
    return (std::signbit(*number) && !std::isnan(*number) ? "-" : sign(c)) + text;
  }

  static std::string sign(const Conversion& c) { return c.plus ? "+" : c.space ? " " : ""; }

  void pad_number(const Conversion& c, std::string text) {
    const auto width = static_cast<std::size_t>(c.width);
    if (c.zero && !c.left && text.size() < width) {
      const bool has_sign = text[0] == '-' || text[0] == '+' || text[0] == ' ';
      text.insert(has_sign ? 1 : 0, width - text.size(), '0');
    }
    pad(c, Text(text, false));
  }

  void pad(const Conversion& c, const Text& text) {
    runtime_.check_text_size(out_.size() + text.size());
    runtime_.walk(text.footprint());
    runtime_.touch(static_cast<std::size_t>(c.width));
    const std::size_t characters = character_count(text.bytes());
    const auto width = static_cast<std::size_t>(c.width);
    const std::string fill(width > characters ? width - characters : 0, ' ');
    if (!c.left) out_.append(fill, false);
    out_.append(text);
    if (c.left) out_.append(fill, false);
  }

  Runtime& runtime_;
  const Text& format_;
  const std::string& bytes_;
  const Value& values_;
  std::size_t used_ = 0;
  Text out_;
};

}  // namespace

Value percent_format(Runtime& runtime, const Text& format, const Value& values) {
  if (format.safe()) runtime.unsupported("formatting a safe text");
  return runtime.text(PercentFormatter(runtime, format, values).run());
}

namespace {

// The value of one replacement field: "" is the next positional one, digits an index, else a name.
const Value& field_value(Runtime& runtime, const std::string& field, std::size_t& automatic,
                         const Arguments& arguments) {
  if (field.find_first_of(".[:!") != std::string::npos) {
    runtime.unsupported("the format field '{" + field + "}'");
  }
  const bool is_index = field.find_first_not_of("0123456789") == std::string::npos;
  if (is_index) {
    const std::size_t index = field.empty() ? automatic++ : field.size() > 6 ? SIZE_MAX : std::stoul(field);
    if (index < arguments.positional.size()) return arguments.positional[index];
  } else {
    runtime.step(arguments.named.size() / 8);
    for (const auto& [name, value] : arguments.named) {
      if (name == field) return value;
    }
  }
  runtime.type_error("str.format() has no value for '{" + field + "}'");
}

}  // namespace

Value brace_format(Runtime& runtime, const Text& format, const Arguments& arguments) {
  if (format.safe()) runtime.unsupported("formatting a safe text");
  const std::string& bytes = format.bytes();
  runtime.search(format.footprint());
  Text out;
  std::size_t automatic = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
    out.append(format, at, brace);
    if (brace == bytes.size()) break;
    runtime.step();
    if (brace + 1 < bytes.size() &&
        bytes[brace + 1] == bytes[brace]) {  // a doubled brace is an escaped brace
      out.append(format, brace, brace + 1);
      at = brace + 2;
      continue;
    }
    const std::size_t close = bytes.find('}', brace);
    if (bytes[brace] == '}' || close == std::string::npos) {
      runtime.type_error("str.format(): a single '{' or '}' in the format");
    }
    const std::string field = bytes.substr(brace + 1, close - brace - 1);
    const Value& chosen = field_value(runtime, field, automatic, arguments);
    runtime.touch_text(chosen);
    const Text value = to_text(runtime, chosen);
    runtime.check_text_size(out.size() + value.size());
    out.append(value);
    at = close + 1;
  }
  return runtime.text(std::move(out));
}

namespace {

constexpr const char* kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                 "Thursday", "Friday", "Saturday"};
constexpr const char* kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                   "July",    "August",   "September", "October", "November", "December"};

std::tm time_fields(Runtime& runtime, std::optional<std::int64_t> now) {
  std::tm fields{};
  const auto seconds = static_cast<std::time_t>(now ? *now : std::time(nullptr));
  const std::tm* done = now ? gmtime_r(&seconds, &fields) : localtime_r(&seconds, &fields);
  if (done == nullptr) runtime.type_error("the time " + std::to_string(seconds) + " is out of range");
  return fields;
}

std::string time_field(Runtime& runtime, char type, bool bare, const std::tm& t) {
  const auto digits = [bare](int value, int width) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "%0*d", bare ? 0 : width, value);
    return std::string(buffer);
  };
  const auto fields = [&](std::string_view pattern) {
    std::string out;
    for (const char c : pattern) out += c >= 'A' ? time_field(runtime, c, false, t) : std::string(1, c);
    return out;
  };
  const int hour12 = t.tm_hour % 12 == 0 ? 12 : t.tm_hour % 12;
  switch (type) {
    case 'Y':
      return std::to_string(t.tm_year + 1900);
    case 'y':
      return digits((t.tm_year % 100 + 100) % 100, 2);
    case 'm':
      return digits(t.tm_mon + 1, 2);
    case 'd':
      return digits(t.tm_mday, 2);
    case 'j':
      return digits(t.tm_yday + 1, 3);
    case 'H':
      return digits(t.tm_hour, 2);
    case 'I':
      return digits(hour12, 2);
    case 'M':
      return digits(t.tm_min, 2);
    case 'S':
      return digits(t.tm_sec, 2);
    case 'w':
      return std::to_string(t.tm_wday);
    case 'A':
      return kDays[t.tm_wday];
    case 'a':
      return std::string(kDays[t.tm_wday], 3);
    case 'B':
      return kMonths[t.tm_mon];
    case 'b':
    case 'h':
      return std::string(kMonths[t.tm_mon], 3);
    case 'p':
      return t.tm_hour < 12 ? "AM" : "PM";
    case 'F':
      return fields("Y-m-d");
    case 'T':
      return fields("H:M:S");
    case 'R':
      return fields("H:M");
    case 'D':
      return fields("m/d/y");
    case '%':
      return "%";
    default:
      runtime.unsupported(std::string("the time format '%") + type + "'");
  }
}

}  // namespace

std::string format_time(Runtime& runtime, std::string_view pattern, std::optional<std::int64_t> now) {
  const std::tm fields = time_fields(runtime, now);
  std::string out;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '%' || at + 1 == pattern.size()) {
      out += pattern[at];
      continue;
    }
    const bool bare = pattern[at + 1] == '-' && at + 2 < pattern.size();
    at += bare ? 2 : 1;
    out += time_field(runtime, pattern[at], bare, fields);
  }
  return out;
}

}  // namespace partita::internal::jinja
