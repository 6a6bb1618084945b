#include <algorithm>
#include <cmath>

#include "tokenizer/jinja/format.h"
#include "tokenizer/jinja/format_number.h"
#include "tokenizer/jinja/print.h"

namespace partita::internal::jinja {
namespace {

// One conversion such as %-8.3f.
struct Conversion {
  std::string key;  // of %(key)s
  bool has_key = false;
  bool left = false, plus = false, space = false, zero = false, alternate = false;
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

  // A width or a precision; "*" takes it from the values.
  int number(std::size_t& at) {
    if (peek(at) == '*') {
      ++at;
      const auto given = next_value().get<std::int64_t>();
      if (given == nullptr) runtime_.type_error("'*' in a format needs an int");
      if (*given > kMaxFormatWidth || *given < -kMaxFormatWidth) too_wide();
      return static_cast<int>(*given);
    }
    int value = 0;
    for (; peek(at) >= '0' && peek(at) <= '9'; ++at) {
      value = value * 10 + (bytes_[at] - '0');
      if (value > kMaxFormatWidth) too_wide();
    }
    return value;
  }

  [[noreturn]] void too_wide() const {
    runtime_.unsupported("a format width above " + std::to_string(kMaxFormatWidth));
  }

  // Advances `at` past the conversion.
  Conversion parse(std::size_t& at) {
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
          c.alternate = true;
          break;
        default:
          flag = false;
      }
      if (flag) ++at;
    }
    c.width = number(at);
    if (c.width < 0) {
      c.left = true;
      c.width = -c.width;
    }
    if (peek(at) == '.') c.precision = std::max(number(++at), 0);
    if (peek(at) == 'h' || peek(at) == 'l' || peek(at) == 'L') ++at;
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
    return next_value();
  }

  const Value& next_value() {
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
    const bool may_rest = values_.dict() != nullptr || (tuple != nullptr && !is_tuple && tuple->indexable());
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
      case 'a':
        return pad(c, cut(c, ascii_repr(runtime_, value)));
      case 'c':
        return pad(c, character(value));
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
    std::uint64_t magnitude = 0;
    bool negative = false;
    const auto take = [&](std::int64_t number) {
      magnitude = magnitude_of(number);
      negative = number < 0;
    };
    if (const auto exact = value.integer()) {
      take(*exact);
    } else if (const auto* big = value.get<std::uint64_t>()) {
      magnitude = *big;
    } else if (const auto* real = value.get<double>(); real != nullptr && decimal) {
      if (!(std::fabs(*real) < 9.2e18)) runtime_.unsupported("an integer beyond 64 bits");
      take(static_cast<std::int64_t>(*real));
    } else {
      runtime_.type_error(std::string("the format conversion '%") + c.type + "' needs a number, not " +
                          std::string(type_name(value)));
    }
    std::string text = integer_digits(magnitude, decimal ? 'd' : c.type);
    if (c.precision > static_cast<int>(text.size())) text.insert(0, c.precision - text.size(), '0');
    if (c.alternate && !decimal) text.insert(0, std::string("0") + c.type);
    return (negative ? "-" : sign(c)) + text;
  }

  Text character(const Value& value) const {
    if (const Text* text = value.text(); text != nullptr && character_count(text->bytes()) == 1) return *text;
    const auto code = value.integer();
    if (!code || *code < 0 || *code > 0x10FFFF) {
      runtime_.type_error("the format conversion '%c' needs a character or its code");
    }
    std::string bytes;
    append_utf8(bytes, static_cast<char32_t>(*code));
    return Text(bytes, false);
  }

  std::string floating(const Conversion& c, const Value& value) const {
    const auto number = value.number();
    if (!number) {
      runtime_.type_error(std::string("the format conversion '%") + c.type + "' needs a number, not " +
                          std::string(type_name(value)));
    }
    const std::string text = float_digits(runtime_, *number, c.type, c.precision, c.alternate);
    return (std::signbit(*number) && !std::isnan(*number) ? "-" : sign(c)) + text;
  }

  static std::string sign(const Conversion& c) { return c.plus ? "+" : c.space ? " " : ""; }

  void pad_number(const Conversion& c, std::string text) {
    const auto width = static_cast<std::size_t>(c.width);
    if (c.zero && !c.left && text.size() < width) {
      std::size_t at = text[0] == '-' || text[0] == '+' || text[0] == ' ' ? 1 : 0;
      if (c.alternate && at + 1 < text.size() && text[at + 1] > '9' && text[at] == '0') at += 2;  // "0x"
      text.insert(at, width - text.size(), '0');
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

}  // namespace partita::internal::jinja
