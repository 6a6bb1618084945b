#include "tokenizer/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "tokenizer/jinja/runtime.h"
#include "tokenizer/jinja/text.h"

namespace partita::internal::jinja {
namespace {

// "\r\n" and "\r" become "\n"; one line break at the end of the source is removed.
std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

bool is_digit_byte(char c) { return c >= '0' && c <= '9'; }
bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit_byte(c) ||
         static_cast<unsigned char>(c) >= 0x80;
}

int hex_digit(char c) {
  if (is_digit_byte(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize_newlines(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) lex_data();
    push(TokenType::kEnd, "", at_);
    return std::move(tokens_);
  }

 private:
  // The end of a tag, with its white-space control.
  struct Closing {
    std::size_t length;
    bool strips;      // -%} removes all white space after it
    bool trims_line;  // %} removes one line break after it
  };

  [[noreturn]] void fail(const std::string& what, std::size_t at) const {
    const std::string_view before =
        std::string_view(source_).substr(0, at);  // `at` may be past the last token
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    const Place place{static_cast<int>(line), static_cast<int>(column)};
    throw JinjaError{{ErrorCode::kBadFile, message_begin(place) + what}};
  }

  // Counts lines up to `at`, which is never before the last token.
  void move_to(std::size_t at) {
    for (; counted_ < at && counted_ < source_.size(); ++counted_) {
      if (source_[counted_] == '\n') {
        ++line_;
        line_start_ = counted_ + 1;
      }
    }
  }

  void push(TokenType type, std::string text, std::size_t at) {
    move_to(at);
    tokens_.push_back({type, {line_, static_cast<int>(at - line_start_ + 1)}, std::move(text)});
  }

  bool starts(std::size_t at, std::string_view what) const {
    return std::string_view(source_).substr(std::min(at, source_.size())).starts_with(what);
  }

  std::size_t skip_space(std::size_t at) const {
    while (at < source_.size()) {
      const Character c = character_at(source_, at);
      if (!is_space(c.code)) break;
      at += c.length;
    }
    return at;
  }

  // The position of the next {{, {% or {#.
  std::size_t find_tag(std::size_t at) const {
    for (; (at = source_.find('{', at)) != std::string::npos; ++at) {
      const char next = at + 1 < source_.size() ? source_[at + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') return at;
    }
    return source_.size();
  }

  void lex_data() {
    const std::size_t tag = find_tag(at_);
    if (tag == source_.size()) {
      push_data(at_, tag);
      at_ = tag;
      return;
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    const bool has_sign = sign == '-' || sign == '+';
    push_data(at_, data_end(at_, tag, has_sign ? sign : '\0', kind != '{'));
    at_ = tag + (has_sign ? 3 : 2);
    if (kind == '#') {
      lex_comment(tag);
    } else if (const std::size_t raw = kind == '%' ? raw_begin(at_) : 0; raw != 0) {
      lex_raw(raw, tag);
    } else {
      push(kind == '{' ? TokenType::kVariableBegin : TokenType::kBlockBegin, "", tag);
      lex_tag(kind == '%', tag);
    }
    line_starting_ = at_ > 0 && source_[at_ - 1] == '\n';
  }

  void push_data(std::size_t begin, std::size_t end) {
    if (begin < end) push(TokenType::kData, source_.substr(begin, end - begin), begin);
  }

  // Where the data before a tag ends: "-" strips all white space, lstrip_blocks the indentation of a line.
  std::size_t data_end(std::size_t begin, std::size_t tag, char sign, bool is_block) const {
    const std::string_view data = std::string_view(source_).substr(begin, tag - begin);
    if (sign == '-') return begin + strip_range(data, nullptr, false, true).end;
    if (sign == '+' || !is_block) return tag;
    const std::size_t newline = data.rfind('\n');
    const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    if (line == 0 && !line_starting_) return tag;
    const bool blank = strip_range(data.substr(line), nullptr, false, true).end == 0;
    return blank ? begin + line : tag;
  }

  std::optional<Closing> closing(std::size_t at, std::string_view end, bool block) const {
    if (starts(at, end)) return Closing{end.size(), false, block};
    if (starts(at, "-") && starts(at + 1, end)) return Closing{end.size() + 1, true, false};
    if (block && starts(at, "+") && starts(at + 1, end)) return Closing{end.size() + 1, false, false};
    return std::nullopt;
  }

  std::size_t after(std::size_t at, const Closing& closing) const {
    at += closing.length;
    if (closing.strips) return skip_space(at);
    return closing.trims_line && at < source_.size() && source_[at] == '\n' ? at + 1 : at;
  }

  void lex_comment(std::size_t tag) {
    for (std::size_t at = at_; at < source_.size(); ++at) {
      if (const auto end = closing(at, "#}", true)) {
        at_ = after(at, *end);
        return;
      }
    }
    fail("the comment is not closed", tag);
  }

  // After "{%": the position where the data of a raw block begins, or 0.
  std::size_t raw_begin(std::size_t at) const {
    at = skip_space(at);
    if (!starts(at, "raw")) return 0;
    at = skip_space(at + 3);
    if (starts(at, "-%}")) return skip_space(at + 3);
    return starts(at, "%}") ? at + 2 : 0;
  }

  void lex_raw(std::size_t begin, std::size_t tag) {
    for (std::size_t at = begin; (at = source_.find("{%", at)) != std::string::npos; at += 2) {
      const char sign = at + 2 < source_.size() ? source_[at + 2] : '\0';
      const bool has_sign = sign == '-' || sign == '+';
      std::size_t name = skip_space(at + (has_sign ? 3 : 2));
      if (!starts(name, "endraw")) continue;
      name = skip_space(name + 6);
      const auto end = closing(name, "%}", true);
      if (!end) continue;
      line_starting_ = source_[begin - 1] == '\n';
      push_data(begin, data_end(begin, at, has_sign ? sign : '\0', true));
      at_ = after(name, *end);
      return;
    }
    fail("the raw block is not closed", tag);
  }

  void lex_tag(bool block, std::size_t tag) {
    std::string brackets;  // expected closing brackets
    while (true) {
      at_ = skip_space(at_);
      if (at_ >= source_.size()) fail(block ? "the block has no '%}'" : "the expression has no '}}'", tag);
      if (brackets.empty()) {
        if (const auto end = closing(at_, block ? "%}" : "}}", block)) {
          push(block ? TokenType::kBlockEnd : TokenType::kVariableEnd, "", at_);
          at_ = after(at_, *end);
          return;
        }
      }
      lex_token(brackets);
    }
  }

  void lex_token(std::string& brackets) {
    const char c = source_[at_];
    if (is_digit_byte(c)) return lex_number();
    if (is_name_byte(c)) return lex_name();
    if (c == '\'' || c == '"') return lex_string();
    lex_operator(brackets);
  }

  // Digits, with single underscores allowed between them.
  std::size_t digits_end(std::size_t at) const {
    while (at < source_.size()) {
      if (is_digit_byte(source_[at])) {
        ++at;
      } else if (source_[at] == '_' && at + 1 < source_.size() && is_digit_byte(source_[at + 1])) {
        at += 2;
      } else {
        break;
      }
    }
    return at;
  }

  bool digit_at(std::size_t at) const { return at < source_.size() && is_digit_byte(source_[at]); }

  void lex_number() {
    const std::size_t begin = at_;
    if (source_[begin] == '0' && begin + 1 < source_.size() &&
        std::string_view("xXoObB").find(source_[begin + 1]) != std::string_view::npos) {
      std::size_t end = begin + 2;
      while (end < source_.size() && (hex_digit(source_[end]) >= 0 || source_[end] == '_')) ++end;
      return push_number(TokenType::kInteger, end);
    }
    std::size_t end = digits_end(begin);
    TokenType type = TokenType::kInteger;
    const bool after_dot = begin > 0 && source_[begin - 1] == '.';
    if (!after_dot && end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
      type = TokenType::kFloat;
      end = digits_end(end + 1);
    }
    if (!after_dot && end < source_.size() && (source_[end] | 0x20) == 'e') {
      const std::size_t sign =
          end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-');
      if (digit_at(end + 1 + sign)) {
        type = TokenType::kFloat;
        end = digits_end(end + 1 + sign);
      }
    }
    push_number(type, end);
  }

  void push_number(TokenType type, std::size_t end) {
    std::string text = source_.substr(at_, end - at_);
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    push(type, std::move(text), at_);
    at_ = end;
  }

  void lex_name() {
    const std::size_t begin = at_;
    while (at_ < source_.size() && is_name_byte(source_[at_])) ++at_;
    push(TokenType::kName, source_.substr(begin, at_ - begin), begin);
  }

  void lex_operator(std::string& brackets) {
    static constexpr std::array<std::string_view, 6> kDouble = {"//", "**", "==", "!=", ">=", "<="};
    static constexpr std::string_view kSingle = "+-/*%~[](){}><=.:|,;";
    std::string_view text = std::string_view(source_).substr(at_, 2);
    if (std::find(kDouble.begin(), kDouble.end(), text) == kDouble.end()) text = text.substr(0, 1);
    if (text.size() == 1 && kSingle.find(text[0]) == std::string_view::npos) {
      fail("unexpected character '" + source_.substr(at_, 1) + "'", at_);
    }
    balance(brackets, text[0]);
    push(TokenType::kOperator, std::string(text), at_);
    at_ += text.size();
  }

  void balance(std::string& brackets, char c) {
    if (c == '(' || c == '[' || c == '{') {
      if (brackets.size() >= kMaxNesting)
        throw_unsupported("nesting deeper than " + std::to_string(kMaxNesting));
      brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty() || brackets.back() != c) {
        fail(std::string("unexpected '") + c + "'" +
                 (brackets.empty() ? std::string() : std::string(", expected '") + brackets.back() + "'"),
             at_);
      }
      brackets.pop_back();
    }
  }

  void lex_string() {
    const std::size_t begin = at_;
    const char quote = source_[at_++];
    std::string value;
    while (at_ < source_.size() && source_[at_] != quote) {
      if (source_[at_] == '\\') {
        lex_escape(value);
      } else {
        value += source_[at_++];
      }
    }
    if (at_ >= source_.size()) fail("the string is not closed", begin);
    ++at_;
    push(TokenType::kString, std::move(value), begin);
  }

  // Python's escapes; unknown escapes stay unchanged.
  void lex_escape(std::string& value) {
    const char c = at_ + 1 < source_.size() ? source_[at_ + 1] : '\0';
    static constexpr std::string_view kFrom = "\\'\"abfnrtv";
    static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
    if (const std::size_t i = kFrom.find(c); i != std::string_view::npos) {
      value += kTo[i];
      at_ += 2;
    } else if (c == '\n') {
      at_ += 2;
    } else if (c >= '0' && c <= '7') {
      lex_octal(value);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      lex_hexadecimal(value, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (c == 'N') {
      throw_unsupported("a named character \\N{...}");
    } else {
      value += '\\';
      ++at_;
    }
  }

  void lex_octal(std::string& value) {
    char32_t code = 0;
    std::size_t end = at_ + 1;
    for (int i = 0; i < 3 && end < source_.size() && source_[end] >= '0' && source_[end] <= '7'; ++i, ++end) {
      code = code * 8 + static_cast<char32_t>(source_[end] - '0');
    }
    append_utf8(value, code);
    at_ = end;
  }

  void lex_hexadecimal(std::string& value, std::size_t digits) {
    char32_t code = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const std::size_t at = at_ + 2 + i;
      const int digit = at < source_.size() ? hex_digit(source_[at]) : -1;
      if (digit < 0) fail("the escape needs " + std::to_string(digits) + " hexadecimal digits", at_);
      code = code * 16 + static_cast<char32_t>(digit);
    }
    if (code >= 0xD800 && code <= 0xDFFF) throw_unsupported("a surrogate in a string");
    if (code > 0x10FFFF) fail("the escape is not a Unicode character", at_);
    append_utf8(value, code);
    at_ += 2 + digits;
  }

  [[noreturn]] void throw_unsupported(const std::string& what) {
    move_to(at_);  // the enclosing string begins after the last token
    const Place place{line_, static_cast<int>(at_ - line_start_ + 1)};
    throw JinjaError{{ErrorCode::kUnsupported, message_begin(place) + what + " is not supported"}};
  }

  const std::string source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  bool line_starting_ = true;  // whether only white space precedes at_ on its line
  std::size_t counted_ = 0;    // position up to which lines are counted
  std::size_t line_start_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    throw JinjaError{{ErrorCode::kUnsupported, "a chat template of " + std::to_string(source.size()) +
                                                   " bytes is longer than the limit of " +
                                                   std::to_string(kMaxSourceBytes)}};
  }
  return Lexer(source).run();
}

}  // namespace partita::internal::jinja
